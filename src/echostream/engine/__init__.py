"""Speech engines, and the choice between them."""

import structlog

from echostream.engine.base import Report, Samples, Transcriber, Transcription
from echostream.engine.lazy import LazyTranscriber
from echostream.engine.live import LiveEngine
from echostream.engine.local import LocalEngine
from echostream.engine.service import Engine, EngineState, Heard, LivePlace, Place
from echostream.engine.turns import Turns
from echostream.engine.vad import VadState
from echostream.errors import InvalidRequest, ModelUnavailable
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
    "VadState",
    "load_transcriber",
]

log = structlog.get_logger(__name__)


def load_transcriber(settings: Settings) -> Transcriber:
    """Load the engine that the settings ask for. Takes seconds, or as long as a download.

    Engines are imported here and not above, since each brings a large native library along.
    Raises ModelUnavailable when Whisper was asked for by name and its model cannot be had.
    """
    if settings.asr_engine == "pocketsphinx":
        return _load_sphinx()
    try:
        return _load_whisper(settings)
    except (InvalidRequest, ModelUnavailable) as error:
        if settings.asr_engine == "whisper":
            raise ModelUnavailable(str(error)) from error
        log.warning("whisper_unavailable", reason=str(error), stand_in="pocketsphinx")
        return _load_sphinx()


def _load_sphinx() -> Transcriber:
    from echostream.engine.sphinx import SphinxTranscriber

    return SphinxTranscriber()


def _load_whisper(settings: Settings) -> Transcriber:
    from echostream.engine import hub
    from echostream.engine.whisper import load_whisper

    name = settings.whisper_model
    folder = hub.local_folder(name)
    if folder is None:
        log.info("whisper_download", model=name)
        folder = hub.download(name, timeout_s=settings.model_fetch_timeout_s)
    return load_whisper(folder, hub.display_name(name), settings)
