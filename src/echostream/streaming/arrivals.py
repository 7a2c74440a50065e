"""When the audio of a live session arrived."""

import time
from collections import deque

_MOST = 4096


class Arrivals:
    """Samples are asked for in the order in which they arrived."""

    def __init__(self) -> None:
        self._known: deque[tuple[int, float]] = deque(maxlen=_MOST)

    def note(self, end: int) -> None:
        """All samples before `end` have arrived by now."""
        self._known.append((end, time.monotonic()))

    def age_ms(self, sample: int) -> int:
        """How long ago this sample arrived."""
        while len(self._known) > 1 and self._known[0][0] < sample:
            self._known.popleft()
        return round(1000 * (time.monotonic() - self._known[0][1]))
