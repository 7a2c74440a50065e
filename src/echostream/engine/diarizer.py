"""The diarizer of this process: loaded when it is first needed, freed when it is idle."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from typing import TypeVar

import structlog

from echostream.diarization.base import Diarization, Diarizer
from echostream.domain import SpeakerOptions, Voice
from echostream.engine.base import Samples
from echostream.errors import Cancelled, EchoStreamError, EngineError

log = structlog.get_logger(__name__)

T = TypeVar("T")

_AT_ONCE = 2
"""Recordings that are diarized at once; more would only take memory from each other."""
_THREADS = 32
"""More than are needed, because work that was given up may keep its thread for a while."""


class SharedDiarizer:
    """Used from one event loop; the work is done in threads of its own."""

    def __init__(
        self,
        load: Callable[[], Diarizer],
        give_way: Callable[[], None],
        *,
        idle_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`give_way` is called, in the thread that works, wherever other work may go first."""
        self._load = load
        self._give_way = give_way
        self._idle_s = idle_s
        self._clock = clock
        self._loaded: Diarizer | None = None
        self._users = 0
        self._used_at = 0.0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="diarize")
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def load(self) -> str:
        """See `Speakers.load_diarizer`."""
        return await self._run(lambda diarizer: diarizer.model)

    async def voice(self, samples: Samples, *, gives_way: bool = False) -> Voice | None:
        """See `Place.voice`. If it `gives_way`, other work goes first."""

        def work(diarizer: Diarizer) -> Voice | None:
            if gives_way:
                self._give_way()
            return diarizer.voice(samples)

        return await self._run(work)

    async def diarize(
        self, samples: Samples, options: SpeakerOptions
    ) -> AsyncGenerator[float | Diarization, None]:
        """See `Speakers.diarize`. If the caller stops early, the work ends at its next step, and
        others no longer wait for it."""
        async with self._free:
            yield 0.0  # so that the caller knows that the wait is over
            async with aclosing(self._diarize(samples, options)) as found:
                async for one in found:
                    yield one

    async def _diarize(
        self, samples: Samples, options: SpeakerOptions
    ) -> AsyncGenerator[float | Diarization, None]:
        loop = asyncio.get_running_loop()
        shares: asyncio.Queue[float | None] = asyncio.Queue()
        stopped = threading.Event()

        def on_share(share: float) -> None:
            if stopped.is_set():
                raise Cancelled("nobody waits for this diarization")
            self._give_way()
            loop.call_soon_threadsafe(shares.put_nowait, share)

        def ended(work: asyncio.Task[Diarization]) -> None:
            shares.put_nowait(None)
            if not work.cancelled():
                work.exception()  # read, so that asyncio does not report it as lost

        working = asyncio.create_task(
            self._run(lambda diarizer: diarizer.diarize(samples, options, on_share=on_share))
        )
        working.add_done_callback(ended)
        try:
            while (share := await shares.get()) is not None:
                yield share
            yield working.result()
        finally:
            stopped.set()
            working.cancel()  # its thread goes on until the next step

    def unload_idle(self) -> None:
        """Frees the diarizer if it has not been used for a long time."""
        with self._lock:
            if self._users or self._clock() - self._used_at < self._idle_s:
                return
            unloaded, self._loaded = self._loaded, None
        if unloaded is not None:
            unloaded.close()
            log.info("diarizer_unloaded", model=unloaded.model)

    def close(self) -> None:
        """Frees the diarizer, unless it is at work; that work is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if not self._users and self._loaded is not None:
            self._loaded.close()

    async def _run(self, work: Callable[[Diarizer], T]) -> T:
        def use() -> T:
            with self._use() as diarizer:
                return work(diarizer)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, use)
        except EchoStreamError:
            raise
        except Exception as error:
            log.error("diarization_crashed", exc_info=error)
            raise EngineError("the diarizer failed") from error

    @contextmanager
    def _use(self) -> Iterator[Diarizer]:
        """Yields the diarizer, which stays loaded meanwhile. Blocks while it is loaded."""
        with self._lock:  # held while it loads, so that it is loaded once
            if self._loaded is None:
                self._loaded = self._load()
                log.info("diarizer_ready", model=self._loaded.model)
            diarizer = self._loaded
            self._users += 1
        try:
            yield diarizer
        finally:
            with self._lock:
                self._users -= 1
                self._used_at = self._clock()
