"""One engine for many: live audio is read in turns, and before files."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_LONGEST_WAIT_S = 10.0


class Turns:
    """Shares the engine of a process between its live sessions, and between them and its files.

    A live session asks for one turn at a time and they are served in the order they came, so none
    waits for more than one turn of each other one. Files, which are read piece by piece in threads
    of their own, wait between two pieces while a live session has or wants a turn.
    """

    def __init__(self) -> None:
        # One, since an engine uses all cores for one turn.
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._changed = threading.Condition()
        self._live = 0

    async def live(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread when its turn has come. Cancelled, it may still run to its end."""
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
        """Wait for the turn at work; those that wait are dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)
