"""The models of this process by name: loaded on request, unloaded when nobody needs them."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from echostream.domain import TranscribeOptions
from echostream.engine.base import Transcriber
from echostream.engine.service import ModelState, model_named
from echostream.errors import EchoStreamError, EngineError, ModelUnavailable, ServerBusy
from echostream.memory import available_bytes

log = structlog.get_logger(__name__)

_ROOM = 1.25
"""Memory that a model needs per byte of its files: for the weights and for current batches."""
_RESTS_S = 30.0
"""A model used more recently than this will probably be used again, for instance by a live session.
If it were unloaded for another model, the two would keep replacing each other."""
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Model:
    """A model and the name that clients use for it. Both functions block and raise EngineError.
    `size_bytes` returns once its files are on this machine, which may need a download."""

    name: str
    load: Callable[[], Transcriber]
    size_bytes: Callable[[], int]


class _Entry:
    """A model and its users. `loading` is None unless it is loaded or being loaded."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.loading: Future[Transcriber] | None = None
        self.users = 0
        self.used_at = 0.0

    @property
    def loaded(self) -> Transcriber | None:
        loading = self.loading
        is_done = loading is not None and loading.done() and loading.exception() is None
        return loading.result() if loading is not None and is_done else None

    @property
    def state(self) -> ModelState:
        name, loaded = self.model.name, self.loaded
        if loaded is None:
            return ModelState(name)
        return ModelState(name, loaded.engine, loaded.model, loaded.capabilities)


class Registry:
    """Thread-safe. The default model stays once it is loaded; the others are unloaded when they are
    idle or when another needs the memory."""

    def __init__(
        self,
        default: Model,
        others: Sequence[Model] = (),
        *,
        idle_s: float = float("inf"),
        free_bytes: Callable[[], int] = available_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._default = _Entry(default)
        self._others = [_Entry(model) for model in others]
        self._entries = {each.model.name: each for each in (self._default, *self._others)}
        self._idle_s = idle_s
        self._free_bytes = free_bytes
        self._clock = clock
        self._lock = threading.Lock()
        # Free memory must not be measured while another model is about to use it.
        self._making_room = threading.Lock()
        self.error: EchoStreamError | None = None
        """Why the default model could not be loaded."""

    @classmethod
    def only(cls, load: Callable[[], Transcriber], name: str = "default") -> "Registry":
        """Returns a registry with one model, whose own name replaces `name` once it is loaded."""
        return cls(Model(name, load, lambda: 0))

    @property
    def states(self) -> tuple[ModelState, ...]:
        """The states of all models that are offered, the default first."""
        return tuple(each.state for each in self._entries.values())

    def named(self, name: str | None) -> ModelState:
        """Returns the current state of the model `name`. Raises InvalidRequest if there is none."""
        return model_named(self.states, name)

    def start_loading(self, name: str | None) -> Future[Transcriber]:
        """Starts to load a model, unless that has started already; all callers share one load. If
        it fails, the next caller tries again.

        It raises InvalidRequest if the name is not offered. The future may raise ServerBusy if the
        models in use leave no memory for it, ModelUnavailable or another EngineError.
        """
        entry = self._entry(name)
        with self._lock:
            if entry.loading is None:
                entry.loading = Future()
                # So that a caller who gives up does not cancel it for the others.
                entry.loading.set_running_or_notify_cancel()
                # A daemon: a download must not keep the program from ending.
                threading.Thread(
                    target=self._load_into, args=(entry, entry.loading), name="load", daemon=True
                ).start()
            return entry.loading

    @contextmanager
    def use(self, options: TranscribeOptions, *, live: bool = False) -> Iterator[Transcriber]:
        """Yields the model for `options`, which stays loaded meanwhile. Blocks until it is loaded.

        Raises what `start_loading` raises, and InvalidRequest for what the model cannot do.
        """
        entry = self._entry(options.model)
        with self._lock:
            entry.users += 1
        try:
            transcriber = self.start_loading(options.model).result()
            entry.state.check(options, live=live)
            yield transcriber
        finally:
            with self._lock:
                entry.users -= 1
                entry.used_at = self._clock()

    def unload_idle(self) -> None:
        """Unloads models that have not been used for a long time."""
        for entry in self._unused(self._idle_s):
            self._unload(entry)

    def close(self) -> None:
        """Waits for models that are loading and frees all models. None may be in use."""
        entries = self._entries.values()
        wait([each.loading for each in entries if each.loading is not None])
        for entry in entries:
            self._unload(entry)

    def _entry(self, name: str | None) -> _Entry:
        return self._entries[self.named(name).name]

    def _load_into(self, entry: _Entry, loading: Future[Transcriber]) -> None:
        try:
            loaded = self._load(entry)
        except EchoStreamError as error:
            with self._lock:
                entry.loading = None
            self._note(entry, error)  # who hears of it may try again at once
            loading.set_exception(error)
        else:
            entry.used_at = self._clock()
            loading.set_result(loaded)

    def _load(self, entry: _Entry) -> Transcriber:
        try:
            loaded = entry.model.load() if entry is self._default else self._load_beside(entry)
        except EchoStreamError:
            raise
        except Exception as error:
            log.error("engine_load_crashed", model=entry.model.name, exc_info=error)
            raise EngineError("the speech engine failed to load") from error
        self._note(entry, None)
        log.info("engine_ready", engine=loaded.engine, model=loaded.model)
        return loaded

    def _load_beside(self, entry: _Entry) -> Transcriber:
        size_bytes = entry.model.size_bytes()
        with self._making_room:
            self._make_room(entry, round(_ROOM * size_bytes))
            return entry.model.load()

    def _note(self, entry: _Entry, error: EchoStreamError | None) -> None:
        if entry is self._default:
            self.error = error

    def _make_room(self, entry: _Entry, needed_bytes: int) -> None:
        """Unloads the least recently used models until the new one fits."""
        while (free_bytes := self._free_bytes()) < needed_bytes:
            unused = self._unused(_RESTS_S)
            if not unused:
                raise self._no_room(entry.model.name, needed_bytes, free_bytes)
            self._unload(unused[0])

    def _no_room(self, name: str, needed_bytes: int, free_bytes: int) -> EchoStreamError:
        if any(each.loaded for each in self._others):
            return ServerBusy(
                f"there is no room for the model {name!r} beside those in use; try again soon",
                retry_after_s=_RESTS_S,
            )
        return ModelUnavailable(
            f"the model {name!r} needs about {needed_bytes / _GB:.1f} GB of memory, "
            f"and {free_bytes / _GB:.1f} GB are free"
        )

    def _unused(self, for_s: float) -> list[_Entry]:
        """Returns the models unused for that long, the least recently used first."""
        until = self._clock() - for_s
        unused = [
            each
            for each in self._others
            if each.loaded and not each.users and each.used_at <= until
        ]
        return sorted(unused, key=lambda each: each.used_at)

    def _unload(self, entry: _Entry) -> None:
        with self._lock:
            unloaded = entry.loaded
            if unloaded is None or entry.users:  # requested just now
                return
            entry.loading = None
        unloaded.close()
        log.info("model_unloaded", model=unloaded.model)
