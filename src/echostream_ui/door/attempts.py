"""How often the password has been wrong, and how long the next try has to wait for that."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from echostream.hosts import network_of

_MOST_ADDRESSES = 10_000
_FORGET_S = 3600.0
_STEEPEST = 10


@dataclass(frozen=True, slots=True)
class Pace:
    """The first tries are free. Each wrong one after them doubles the pause, from a second up to
    `longest_s`."""

    free: int
    longest_s: float

    def pause_s(self, wrong: int) -> float:
        if wrong < self.free:
            return 0.0
        return float(min(self.longest_s, 2 ** min(wrong - self.free, _STEEPEST)))


OF_AN_ADDRESS = Pace(free=5, longest_s=60.0)
OF_ALL = Pace(free=50, longest_s=2.0)
"""Short, because who has the password may have to wait for it too, while others guess."""


@dataclass(slots=True)
class _Count:
    wrong: int = 0
    last_s: float = 0.0

    def left_s(self, pace: Pace, now_s: float) -> float:
        return max(0.0, self.last_s + pace.pause_s(self.wrong) - now_s)


class Attempts:
    """Counts for each address and over all of them. Addresses that got in before are not held up by
    what others do. For one event loop; keeps a bounded number of addresses."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of_all = _Count()
        self._of: dict[str, _Count] = {}
        self._trusted: dict[str, None] = {}

    def left_s(self, address: str) -> float:
        """How long this address has to wait until its next try."""
        now_s, who = self._clock(), network_of(address)
        alone_s = self._of[who].left_s(OF_AN_ADDRESS, now_s) if who in self._of else 0.0
        return alone_s if who in self._trusted else max(alone_s, self._of_all.left_s(OF_ALL, now_s))

    def begin(self, address: str) -> None:
        """Counts a try as a wrong one until it turns out to be right: tries that are made at the
        same time count too."""
        now_s, who = self._clock(), network_of(address)
        counts = self._of.pop(who, None) or _Count()
        self._of[who] = counts  # now the last one in the order
        for count in (self._of_all, counts):
            count.wrong = count.wrong + 1 if now_s - count.last_s < _FORGET_S else 1
            count.last_s = now_s
        _shorten(self._of)

    def succeed(self, address: str) -> None:
        who = network_of(address)
        self._of.pop(who, None)
        self._of_all.wrong = max(0, self._of_all.wrong - 1)
        self._trusted.pop(who, None)
        self._trusted[who] = None
        _shorten(self._trusted)


def _shorten(kept: "dict[str, _Count] | dict[str, None]") -> None:
    while len(kept) > _MOST_ADDRESSES:
        del kept[next(iter(kept))]
