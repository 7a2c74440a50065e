"""Retries for as long as they may help, and tells the user why it takes so long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from echostream_ui.api_client import ApiError
from echostream_ui.intake.progress import ProgressBoard
from echostream_ui.library.store import StoreError

T = TypeVar("T")

_LONGEST_PAUSE_S = 30.0
_ATTEMPTS = 3


class Patience:
    """The only place where requests to the API and the store are retried."""

    def __init__(self, board: ProgressBoard, pause_s: float) -> None:
        """`pause_s` is the first pause; each is twice as long as the one before."""
        self._board = board
        self._pause_s = pause_s

    async def with_api(self, media_id: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of `attempt`, which is retried while its ApiError is a passing one."""
        pause_s = self._pause_s
        while True:
            try:
                found = await attempt()
            except ApiError as error:
                if not error.is_passing:
                    raise
                self._board.trouble(media_id, error.words)
                await asyncio.sleep(error.retry_after_s or pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                self._board.trouble(media_id, None)
                return found

    async def with_store(self, media_id: str, work: Callable[[], T]) -> T:
        """The same for the store. Permanent errors are retried too: the answer is staged, and
        somebody may fix the cause."""
        pause_s = self._pause_s
        while True:
            try:
                found = await asyncio.to_thread(work)
            except StoreError as error:
                self._board.trouble(media_id, _words(error))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                self._board.trouble(media_id, None)
                return found

    async def with_store_or_not(self, media_id: str, work: Callable[[], None]) -> bool:
        """Makes a few attempts at optional work. Returns whether one succeeded."""
        for attempt in range(_ATTEMPTS):
            try:
                await asyncio.to_thread(work)
            except StoreError as error:
                if not error.retryable:
                    return False
                self._board.trouble(media_id, _words(error))
                await asyncio.sleep(self._pause_s * 2**attempt)
            else:
                return True
        return False


def _words(error: StoreError) -> str:
    return f"{error} {error.advice}".strip()
