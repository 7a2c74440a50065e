"""Speech engines, and the choice of one."""

from collections.abc import Callable
from pathlib import Path

import structlog

from echostream.engine.base import Capabilities, Report, Samples, Transcriber, Transcription
from echostream.engine.live import LiveEngine
from echostream.engine.local import LocalEngine
from echostream.engine.registry import Model, Registry
from echostream.engine.service import (
    Engine,
    EngineState,
    Heard,
    LivePlace,
    ModelState,
    Place,
    Speakers,
)
from echostream.engine.turns import Turns
from echostream.engine.vad import VadState
from echostream.errors import InvalidRequest, MissingExtra, ModelUnavailable
from echostream.extras import is_installed, require
from echostream.settings import Settings

__all__ = [
    "Capabilities",
    "Engine",
    "EngineState",
    "Heard",
    "LiveEngine",
    "LivePlace",
    "LocalEngine",
    "Model",
    "ModelState",
    "Place",
    "Registry",
    "Report",
    "Samples",
    "Speakers",
    "Transcriber",
    "Transcription",
    "Turns",
    "VadState",
    "check_installed",
    "check_models",
    "load_registry",
    "load_transcriber",
]

log = structlog.get_logger(__name__)


def check_installed(settings: Settings) -> None:
    """Raises MissingExtra if the engine in the settings is not installed; with `auto`, if none
    is."""
    if settings.asr_engine == "pocketsphinx":
        require("sphinx", "ASR_ENGINE=pocketsphinx")
    elif settings.asr_engine == "whisper" or not is_installed("sphinx"):
        require("whisper", "Whisper")


def load_transcriber(settings: Settings) -> Transcriber:
    """Loads the engine in the settings. Takes seconds, or as long as a download.

    Engines are imported here and not above, because each loads a large native library.
    Raises ModelUnavailable if Whisper's model is unavailable and pocketsphinx is not an option.
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


def load_registry(
    settings: Settings, load: Callable[[Settings], Transcriber] = load_transcriber
) -> Registry:
    """Returns the models in the settings. Quick: each is loaded when it is first needed."""
    from echostream.engine import hub

    def other(name: str) -> Model:
        # No other engine may replace a model that was requested by name.
        own = settings.model_copy(update={"whisper_model": name, "asr_engine": "whisper"})
        return Model(hub.display_name(name), lambda: load(own), lambda: _size_bytes(own))

    return Registry(
        Model(hub.display_name(settings.whisper_model), lambda: load(settings), lambda: 0),
        [other(name) for name in settings.other_models],
        idle_s=settings.model_idle_s,
    )


def check_models(settings: Settings) -> None:
    """Raises InvalidRequest if WHISPER_MODELS has a folder without a model, or two models with the
    same name."""
    from echostream.engine import hub

    names = [hub.display_name(settings.whisper_model)]
    for each in settings.other_models:
        if (name := hub.display_name(each)) in names:
            raise InvalidRequest(f"WHISPER_MODELS: two models have the name {name!r}")
        if hub.is_path(each) and not hub.is_model(Path(each)):
            raise InvalidRequest(f"WHISPER_MODELS: the folder {name!r} holds no Whisper model")
        names.append(name)


def _load_sphinx() -> Transcriber:
    from echostream.engine.sphinx import SphinxTranscriber

    return SphinxTranscriber()


def _load_whisper(settings: Settings) -> Transcriber:
    folder = _folder(settings)
    from echostream.engine import hub
    from echostream.engine.whisper import load_whisper

    return load_whisper(folder, hub.display_name(settings.whisper_model), settings)


def _folder(settings: Settings) -> Path:
    """Returns the Whisper model's folder; downloads it if necessary. Raises MissingExtra."""
    require("whisper", "Whisper")
    from echostream.engine import hub

    name = settings.whisper_model
    if folder := hub.local_folder(name):
        return folder
    log.info("whisper_download", model=name)
    return hub.download(name, timeout_s=settings.model_fetch_timeout_s)


def _size_bytes(settings: Settings) -> int:
    """Returns the size of the model's files; downloads them if necessary.

    Raises ModelUnavailable if that fails.
    """
    try:
        return sum(file.stat().st_size for file in _folder(settings).iterdir())
    except (InvalidRequest, OSError) as error:
        raise ModelUnavailable(str(error)) from error
