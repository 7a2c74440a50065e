"""Speech engines, and the choice between them."""

import threading
from collections.abc import Callable

import structlog

from echostream.asr.base import DetectedLanguage, Samples, Transcriber, Transcription
from echostream.errors import EchoStreamError, EngineError, InvalidRequest, ModelUnavailable
from echostream.settings import Settings

__all__ = [
    "DetectedLanguage",
    "LazyTranscriber",
    "Samples",
    "Transcriber",
    "Transcription",
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
    from echostream.asr.sphinx import SphinxTranscriber

    return SphinxTranscriber()


def _load_whisper(settings: Settings) -> Transcriber:
    from echostream.asr import hub
    from echostream.asr.whisper import WhisperTranscriber

    name = settings.whisper_model
    folder = hub.local_folder(name)
    if folder is None:
        log.info("whisper_download", model=name)
        folder = hub.download(name, timeout_s=settings.model_fetch_timeout_s)
    return WhisperTranscriber(folder, hub.display_name(name), settings)


class LazyTranscriber:
    """Loads its engine once, at the first `get`, however many threads ask. A failed load is tried
    again at the next `get`."""

    def __init__(self, load: Callable[[], Transcriber]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._loaded: Transcriber | None = None
        self.error: EchoStreamError | None = None

    @property
    def loaded(self) -> Transcriber | None:
        return self._loaded

    def get(self) -> Transcriber:
        """The engine, loading it if need be: blocks for seconds. Raises EngineError."""
        with self._lock:
            if self._loaded is None:
                try:
                    self._loaded = self._load()
                except EchoStreamError as error:
                    self.error = error
                    raise
                except Exception as error:
                    self.error = EngineError("the speech engine failed to load")
                    raise self.error from error
                self.error = None
                log.info("engine_ready", engine=self._loaded.engine, model=self._loaded.model)
            return self._loaded

    def close(self) -> None:
        with self._lock:
            if self._loaded is not None:
                self._loaded.close()
                self._loaded = None
