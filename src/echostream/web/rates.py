"""How often one client may ask: a bucket of tokens for each, refilled at a steady rate."""

import time
from collections import OrderedDict
from collections.abc import Callable

from echostream.errors import RateLimited

_MOST_CLIENTS = 10_000
"""Those that have asked last. A client that is forgotten has a full bucket again."""


class Rates:
    """At most `per_minute` requests a minute from each client, in bursts of as many; any number if
    it is None."""

    def __init__(self, per_minute: float | None, clock: Callable[[], float] = time.monotonic):
        self._per_minute = per_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def count(self, client: str) -> None:
        """Raises RateLimited if it has asked too often."""
        if self._per_minute is None:
            return
        now_s, per_s = self._clock(), self._per_minute / 60
        most = max(1.0, self._per_minute)
        left, seen_s = self._left.pop(client, (most, now_s))
        left = min(most, left + (now_s - seen_s) * per_s)
        allowed = left >= 1
        self._left[client] = (left - allowed, now_s)
        if len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        if not allowed:
            raise RateLimited("too many requests; wait a little", retry_after_s=(1 - left) / per_s)
