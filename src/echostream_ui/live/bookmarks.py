"""The places that a user marks while they record."""

import asyncio
import logging
from collections.abc import Callable

from echostream_ui.library.analysis import Bookmark
from echostream_ui.library.store import StoreError

log = logging.getLogger(__name__)

_MOST = 1000

Keep = Callable[[tuple[Bookmark, ...]], None]
"""Saves all bookmarks of the recording, in order of time. It blocks and may raise StoreError."""


class LiveBookmarks:
    """Keeps every change in the library at once. If that fails, the next change or the end of the
    recording tries again."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._by_key: dict[str, Bookmark] = {}
        self._is_kept = True
        self._keeping: asyncio.Task[None] | None = None

    def put(self, key: str, bookmark: Bookmark) -> None:
        """Adds a bookmark, or changes the one with this key. Telling the same again is harmless."""
        if self._by_key.get(key) == bookmark:
            return
        if key in self._by_key or len(self._by_key) < _MOST:
            self._by_key[key] = bookmark
            self._note_change()

    def remove(self, key: str) -> None:
        if self._by_key.pop(key, None) is not None:
            self._note_change()

    async def kept(self) -> None:
        """Returns when the library has all of them, or cannot take them."""
        if self._keeping is not None:
            await self._keeping
        if not self._is_kept:
            await self._keep_newest()

    def _note_change(self) -> None:
        self._is_kept = False
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep_newest())

    async def _keep_newest(self) -> None:
        while not self._is_kept:
            self._is_kept = True
            newest = tuple(sorted(self._by_key.values(), key=lambda each: each.at_s))
            try:
                await asyncio.to_thread(self._keep, newest)
            except StoreError as error:
                self._is_kept = False
                log.warning("bookmarks of a live recording are not kept: %s", error)
                return
