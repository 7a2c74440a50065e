"""How many wrong links one address may try."""

import time
from collections.abc import Callable

from echostream.hosts import network_of

_MOST = 30
_WINDOW_S = 60.0
_MOST_ADDRESSES = 10_000


class Guesses:
    """Counts wrong links by address. Not for several threads."""

    def __init__(self, most: int = _MOST, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self._wrong: dict[str, tuple[float, int]] = {}  # when the window ends, and how many

    def wait_s(self, address: str) -> float:
        """Returns how long the address must wait before it may try a link again; 0 if it may."""
        until, count = self._wrong.get(network_of(address), (0.0, 0))
        return max(0.0, until - self._now()) if count >= self._most else 0.0

    def count(self, address: str) -> None:
        """Counts a wrong link."""
        home, now = network_of(address), self._now()
        until, count = self._wrong.get(home, (0.0, 0))
        if until <= now:
            self._make_room(now)
            until, count = now + _WINDOW_S, 0
        self._wrong[home] = until, count + 1

    def _make_room(self, now: float) -> None:
        if len(self._wrong) < _MOST_ADDRESSES:
            return
        kept = {home: one for home, one in self._wrong.items() if one[0] > now}
        self._wrong = kept if len(kept) < _MOST_ADDRESSES else {}
