"""When somebody starts and stops speaking. A pure function of speech probabilities."""

from dataclasses import dataclass
from enum import Enum, auto

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.vad import FRAME_SAMPLES

_MORE_TO_START = 0.15
"""Silero's own distance between the probabilities that start and that continue speech."""
_LEAST_CHANCE = 0.01


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """What counts as a turn: speech is at least as likely as `threshold`, the turn begins
    `prefix_padding_ms` before it and ends after `silence_duration_ms` without speech."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500

    @property
    def padding_samples(self) -> int:
        return self.prefix_padding_ms * SAMPLE_RATE_HZ // 1000


class Change(Enum):
    STARTED = auto()
    STOPPED = auto()


class TurnDetector:
    """Takes the frames of a stream one after the other."""

    def __init__(self, wanted: TurnDetection, *, is_speaking: bool = False) -> None:
        self._starts_at = wanted.threshold
        self._goes_on_at = max(wanted.threshold - _MORE_TO_START, _LEAST_CHANCE)
        self._silence = wanted.silence_duration_ms * SAMPLE_RATE_HZ // 1000
        self._is_speaking = is_speaking
        self._quiet = 0

    def note(self, chance: float) -> Change | None:
        """Takes the speech probability of the next frame; says what changes with its end."""
        if not self._is_speaking:
            if chance < self._starts_at:
                return None
            self._is_speaking, self._quiet = True, 0
            return Change.STARTED
        self._quiet = 0 if chance >= self._goes_on_at else self._quiet + FRAME_SAMPLES
        if self._quiet < max(self._silence, FRAME_SAMPLES):
            return None
        self._is_speaking = False
        return Change.STOPPED
