"""Who speaks, told piece by piece while they speak. Each piece goes to the nearest voice so far,
and what was told is never revised."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from echostream.diarization.naming import SAME_VOICE
from echostream.domain import SpeakerOptions, Voice, letters

_NEAR = 0.58
"""The least cosine between a piece of some seconds and the mean voice of its speaker. Higher values
make several speakers of one, lower ones make one of several. On real conversations 0.55 to 0.65 do
about the same."""
_MOST_WEIGHT_S = 5.0
_MOST_SPEAKERS = 20

Vector = NDArray[np.float64]


@dataclass(slots=True)
class _Heard:
    """A speaker: the weighted sum of their voices. They get their name with the first piece."""

    total: Vector
    name: str = ""

    def likeness(self, vector: Vector) -> float:
        return float(self.total @ vector / max(1e-9, float(np.linalg.norm(self.total))))


class OnlineSpeakers:
    """The speakers of one session: `A`, `B`, … in order of first speech, or known names."""

    def __init__(self, options: SpeakerOptions) -> None:
        self._most = options.count or options.most or _MOST_SPEAKERS
        self._known = {each.name: np.array(each.voice.embedding) for each in options.known}
        self._heard: list[_Heard] = []
        self._letters = self._free_letters()

    def speaker(self, voice: Voice, length_s: float) -> str:
        """Whose a piece of so many seconds is, by how it sounds."""
        vector = np.array(voice.embedding)
        one = self._nearest(vector)
        one.total += vector * min(length_s, _MOST_WEIGHT_S)
        one.name = self._recognised(one) or one.name or next(self._letters)
        return one.name

    def _nearest(self, vector: Vector) -> _Heard:
        nearest = max(self._heard, key=lambda one: one.likeness(vector), default=None)
        is_full = len(self._heard) >= self._most
        if nearest is not None and (is_full or nearest.likeness(vector) >= _NEAR):
            return nearest
        self._heard.append(_Heard(np.zeros_like(vector)))
        return self._heard[-1]

    def _recognised(self, one: _Heard) -> str | None:
        """The known name of a speaker, unless another has it already."""
        taken = {other.name for other in self._heard if other is not one}
        free = [name for name in self._known if name not in taken]
        best = max(free, key=lambda name: one.likeness(self._known[name]), default=None)
        return best if best and one.likeness(self._known[best]) >= SAME_VOICE else None

    def _free_letters(self) -> Iterator[str]:
        return (letter for letter in map(letters, count()) if letter not in self._known)
