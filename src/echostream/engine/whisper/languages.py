"""Which language is spoken where. Pure: probabilities in, codes out.

Whisper decides by the first 30 s, which may be music or a greeting in another language. Here every
part of the recording has a say, weighted by its length, and a part that is surely in a language of
its own keeps that.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

SURE = 0.8
"""A part of a recording that is this surely in another language than the rest is taken to be so.
Of 240 parts of 5 s of English, clear, noisy and far-off, base took 10 for something else, at 0.61
at most."""
PART_S = 5.0
LEAST_PART_S = 3.0

Chances = Mapping[str, float]


class Languages:
    """The languages of one recording."""

    def __init__(self, fixed: str | None = None, expected: str | None = None) -> None:
        """`fixed` is the only language there is, `expected` that of what cannot be told."""
        self.fixed = fixed
        self._expected = expected
        self._weights: defaultdict[str, float] = defaultdict(float)

    def hear(self, parts: Sequence[tuple[Chances, float]]) -> None:
        """Take in the probabilities of parts with the seconds of each."""
        for chances, length_s in parts:
            for code, chance in chances.items():
                self._weights[code] += chance * length_s

    @property
    def main(self) -> str:
        """The expected language, or what most is said in, as far as it is known; English before
        anything was heard."""
        if (given := self.fixed or self._expected) is not None:
            return given
        return max(self._weights, key=self._weights.__getitem__, default="en")

    def sure(self, parts: Sequence[tuple[Chances, float]]) -> list[str]:
        """The languages that at least one of some parts is surely in, in order; else the main one.
        More than one: the language switches among them."""
        found = [
            code
            for chances, length_s in parts
            if chances[code := top(chances)] >= SURE and length_s >= LEAST_PART_S
        ]
        return list(dict.fromkeys(found)) or [self.main]


def starts_of_parts(length_s: float) -> list[float]:
    """Where the parts of a window begin that are listened to by themselves. The last one ends with
    the window, over the one before it if need be; a window shorter than a part is one."""
    starts = [PART_S * number for number in range(int(length_s / PART_S))]
    rest_s = length_s - PART_S * len(starts)
    if not starts or rest_s > 0.5:
        starts.append(max(0.0, length_s - PART_S))
    return starts


def top(chances: Chances) -> str:
    return max(chances, key=chances.__getitem__)


def runs(chances: Sequence[Chances], among: Sequence[str]) -> list[tuple[str, int]]:
    """Neighbours that are in the same one of the languages `among`, as the language and how many
    they are. Between two languages that are known to be spoken, a second or two of speech tells."""
    found: list[tuple[str, int]] = []
    for each in chances:
        code = max(among, key=lambda code: each.get(code, 0.0))
        if found and found[-1][0] == code:
            found[-1] = (code, found[-1][1] + 1)
        else:
            found.append((code, 1))
    return found
