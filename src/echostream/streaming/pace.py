"""How much new audio a live session lets come before the next reading."""

import statistics
from collections import deque

_LEAST_S = 0.6
"""The least new audio that is worth another reading."""
_USUAL_TURNS = 2.25
"""The least new audio relative to the usual duration of a turn. It leaves more than half of the
engine's time to other sessions and to irregular load."""
_LAST_TURNS = 1.25
"""The same relative to the last turn: steps that are shorter than turns would only pile up."""
_REMEMBERED = 9


class Pace:
    """Follows how long turns take, with the wait for the engine. The median counts most, because a
    single slow turn, such as one that was read twice, should not delay the next one much."""

    def __init__(self) -> None:
        self._turns_s: deque[float] = deque(maxlen=_REMEMBERED)

    def note(self, turn_s: float) -> None:
        self._turns_s.append(turn_s)

    @property
    def step_s(self) -> float:
        if not self._turns_s:
            return _LEAST_S
        usual_s = statistics.median(self._turns_s)
        return max(_LEAST_S, _USUAL_TURNS * usual_s, _LAST_TURNS * self._turns_s[-1])
