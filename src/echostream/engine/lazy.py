"""An engine that is loaded when it is first needed."""

import threading
from collections.abc import Callable

import structlog

from echostream.engine.base import Transcriber
from echostream.errors import EchoStreamError, EngineError

log = structlog.get_logger(__name__)


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
