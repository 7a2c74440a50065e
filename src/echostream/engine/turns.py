"""One engine for many: live audio is read before files."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_LONGEST_WAIT_S = 10.0


class Turns:
    """Lets live sessions go before files.

    Each live session reads in a thread; those past `at_once` wait in the order they came. Files,
    which are read piece by piece in threads of their own, wait between two pieces while there is
    live work.
    """

    def __init__(self, *, at_once: int) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="live")
        self._changed = threading.Condition()
        self._live = 0

    async def live(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread. Cancelled, it may still run to its end."""
        with self._changed:
            self._live += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            with self._changed:
                self._live -= 1
                self._changed.notify_all()

    def give_way(self, longest_s: float = _LONGEST_WAIT_S) -> None:
        """In a file's thread: wait while there is live work. Not for ever, so that a file goes on,
        slowly, beside live sessions that leave no time."""
        with self._changed:
            self._changed.wait_for(lambda: self._live == 0, longest_s)

    def close(self) -> None:
        """Wait for the work that has begun; the rest is dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)
