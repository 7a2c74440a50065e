"""Named background work that continues after the user leaves the page."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any


class Background:
    """Runs at most one piece of work per name at a time. Methods may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._work: dict[str, Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Starts the work, unless work with this name is already running."""

        async def run() -> None:
            task = asyncio.create_task(work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await task

        with self._lock:
            known = self._work.get(name)
            if known is not None and not known.done():
                return
            started = self._work[name] = asyncio.run_coroutine_threadsafe(run(), self._loop)
        started.add_done_callback(lambda done: self._ended(name, done))

    def is_running(self, name: str) -> bool:
        work = self._work.get(name)
        return work is not None and not work.done()

    def take_error(self, name: str) -> BaseException | None:
        """Returns the error of the last work with this name, once only."""
        with self._lock:
            work = self._work.get(name)
            if work is None or not work.done():
                return None
            del self._work[name]
        return None if work.cancelled() else work.exception()

    def _ended(self, name: str, work: Future[None]) -> None:
        """Forgets work that has left no error to take."""
        with self._lock:
            if self._work.get(name) is work and (work.cancelled() or work.exception() is None):
                del self._work[name]

    async def aclose(self) -> None:
        """Cancels what is running and waits until it has ended. Call it in the event loop."""
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
