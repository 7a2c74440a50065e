"""Threads whose work ends soon after nobody waits for it any more.

A thread cannot be ended from outside. So work asks between sentences whether to go on, and no
sentence is long (`sentences_of`). The threads are few and serve nothing else: however many texts
come, storage and downloads have theirs.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import TypeVar

T = TypeVar("T")

_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)


class Stopped(Exception):
    """Nobody waits for the result any more."""


def stoppable(items: Iterable[T]) -> Iterator[T]:
    """The same items. Raises Stopped between them once the work is to end."""
    stop = _stop.get()
    for item in items:
        if stop is not None and stop.is_set():
            raise Stopped
        yield item


class StoppableThreads:
    """Runs work that goes through `stoppable`. What has no thread yet waits for one."""

    def __init__(self, at_once: int) -> None:
        self._threads = ThreadPoolExecutor(at_once, "insights")

    async def run(self, work: Callable[[], T], *, within_s: float) -> T:
        """Returns what `work` does. If it is not done in time, waiting included, it is stopped and
        TimeoutError raised; if the caller is cancelled, it is stopped too."""
        stop = threading.Event()
        context = copy_context()
        context.run(_stop.set, stop)
        running = asyncio.get_running_loop().run_in_executor(self._threads, context.run, work)
        try:
            async with asyncio.timeout(within_s):
                return await running
        finally:
            stop.set()

    def close(self) -> None:
        """Takes no more work; what is running is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
