"""Messages of a client that have not been handled yet.

A client may send faster than the engine reads, for instance a whole recording at once. Its messages
are received all the same, so that it learns at once of what it does wrong, and its pings are
answered; but only up to a limit, above which its connection has to wait.
"""

import asyncio
from collections import deque

_MOST_CHARACTERS = 32 * 1024 * 1024
"""Base64 of eight minutes of PCM16 at 24 kHz."""


class Inbox:
    """For one task that puts and one that gets."""

    def __init__(self, most: int = _MOST_CHARACTERS) -> None:
        self._most = most
        self._messages: deque[str | bytes] = deque()
        self._size = 0
        self._changed = asyncio.Condition()
        self._is_closed = False

    async def put(self, message: str | bytes) -> None:
        """Waits until there is room. Drops the message if the inbox has been closed."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._size < self._most or self._is_closed)
            if not self._is_closed:
                self._messages.append(message)
                self._size += len(message)
                self._changed.notify_all()

    async def get(self) -> str | bytes | None:
        """The next message; None once the inbox is closed and all have been fetched."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._messages or self._is_closed)
            if not self._messages:
                return None
            message = self._messages.popleft()
            self._size -= len(message)
            self._changed.notify_all()
            return message

    async def close(self) -> None:
        """Nothing more is accepted."""
        async with self._changed:
            self._is_closed = True
            self._changed.notify_all()
