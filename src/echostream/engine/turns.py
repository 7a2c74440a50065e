"""Shares one engine: live audio is read before files."""

import asyncio
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_LONGEST_WAIT_S = 10.0
_QUIET_TURNS = 2.0
"""After so much time without live work, relative to the usual and to the last turn, nobody seems to
speak. While somebody does, a session lets no more than that pass (`streaming.pace`). Where turns
are short, work beside them delays them by little."""
_REMEMBERED = 9


class Turns:
    """Lets live sessions go before files.

    Each live session reads in a thread; sessions beyond `at_once` wait in order of arrival. Files
    are read piece by piece in their own threads, and wait between two pieces while there is live
    work.
    """

    def __init__(self, *, at_once: int) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="live")
        # One thread: each more would keep some megabytes, and this work takes about a millisecond.
        self._short = ThreadPoolExecutor(1, thread_name_prefix="short")
        self._changed = threading.Condition()
        self._live = 0
        self._turns_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._quiet_since_s = 0.0

    async def live(self, work: Callable[[], T]) -> T:
        """Runs `work` in a thread. If cancelled, the work may still run to its end."""
        with self._changed:
            self._live += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._timed, work)
        finally:
            with self._changed:
                self._live -= 1
                self._quiet_since_s = time.monotonic()
                self._changed.notify_all()

    @property
    def are_quiet(self) -> bool:
        """Whether live work is unlikely to come in the next moment."""
        with self._changed:
            if self._live or not self._turns_s:
                return not self._live
            turn_s = max(statistics.median(self._turns_s), self._turns_s[-1])
            return time.monotonic() - self._quiet_since_s >= _QUIET_TURNS * turn_s

    async def short(self, work: Callable[[], T]) -> T:
        """Runs `work` of about a millisecond in a thread, without a turn."""
        return await asyncio.get_running_loop().run_in_executor(self._short, work)

    def give_way(self, longest_s: float = _LONGEST_WAIT_S) -> None:
        """Waits, in a file's thread, while there is live work. The wait is limited, so that files
        still make slow progress when live sessions never pause."""
        with self._changed:
            self._changed.wait_for(lambda: self._live == 0, longest_s)

    def _timed(self, work: Callable[[], T]) -> T:
        began_s = time.monotonic()
        try:
            return work()
        finally:
            with self._changed:
                self._turns_s.append(time.monotonic() - began_s)

    def close(self) -> None:
        """Waits for the work that has started; drops the rest."""
        for threads in (self._threads, self._short):
            threads.shutdown(wait=True, cancel_futures=True)
