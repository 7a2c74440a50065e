"""Speech engines, and the choice between them."""

import structlog

from echostream.engine.base import Report, Samples, Transcriber, Transcription
from echostream.engine.lazy import LazyTranscriber
from echostream.engine.live import LiveEngine
from echostream.engine.local import LocalEngine
from echostream.engine.service import Engine, EngineState, Heard, LivePlace, Place
from echostream.engine.turns import Turns
from echostream.errors import InvalidRequest, MissingExtra, ModelUnavailable
from echostream.extras import is_installed, require
from echostream.settings import Settings

__all__ = [
    "Engine",
    "EngineState",
    "Heard",
    "LazyTranscriber",
    "LiveEngine",
    "LivePlace",
    "LocalEngine",
    "Place",
    "Report",
    "Samples",
    "Transcriber",
    "Transcription",
    "Turns",
    "check_installed",
    "load_transcriber",
]

log = structlog.get_logger(__name__)


def check_installed(settings: Settings) -> None:
    """Raises MissingExtra when the engine that the settings ask for is not installed; with `auto`,
    when none is."""
    if settings.asr_engine == "pocketsphinx":
        require("sphinx", "ASR_ENGINE=pocketsphinx")
    elif settings.asr_engine == "whisper" or not is_installed("sphinx"):
        require("whisper", "Whisper")


def load_transcriber(settings: Settings) -> Transcriber:
    """Load the engine that the settings ask for. Takes seconds, or as long as a download.

    Engines are imported here and not above, since each brings a large native library along.
    Raises ModelUnavailable when Whisper's model cannot be had and nothing may, or can, stand in.
    """
    if settings.asr_engine == "pocketsphinx":
        return _load_sphinx()
    try:
        return _load_whisper(settings)
    except (InvalidRequest, MissingExtra, ModelUnavailable) as error:
        if settings.asr_engine == "whisper":
            raise ModelUnavailable(str(error)) from error
        if not is_installed("sphinx"):
            hint = "pocketsphinx would stand in: pip install 'echostream[sphinx]'"
            raise ModelUnavailable(f"{error}; {hint}") from error
        log.warning("whisper_unavailable", reason=str(error), stand_in="pocketsphinx")
        return _load_sphinx()


def _load_sphinx() -> Transcriber:
    from echostream.engine.sphinx import SphinxTranscriber

    return SphinxTranscriber()


def _load_whisper(settings: Settings) -> Transcriber:
    require("whisper", "Whisper")
    from echostream.engine import hub
    from echostream.engine.whisper import load_whisper

    name = settings.whisper_model
    folder = hub.local_folder(name)
    if folder is None:
        log.info("whisper_download", model=name)
        folder = hub.download(name, timeout_s=settings.model_fetch_timeout_s)
    return load_whisper(folder, hub.display_name(name), settings)
