"""Decides which language is spoken where. Pure: takes probabilities, returns codes.

Whisper decides by the first 30 s, which may be music or a greeting in another language. Here every
part of the recording counts, weighted by its length. A part that is clearly in another language
keeps its own.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

SURE = 0.8
"""From this probability on, a part counts as being in another language than the rest.
Base misjudged 10 of 240 parts of 5 s of English (clear, noisy and distant), with at most 0.61."""
PART_S = 5.0
LEAST_PART_S = 3.0

Chances = Mapping[str, float]


class Languages:
    """The languages of one recording."""

    def __init__(self, fixed: str | None = None, expected: str | None = None) -> None:
        """`fixed` is the language of everything, `expected` that of unclear parts."""
        self.fixed = fixed
        self._expected = expected
        self._weights: defaultdict[str, float] = defaultdict(float)

    def hear(self, parts: Sequence[tuple[Chances, float]]) -> None:
        """Adds the language probabilities of parts, each with its length in seconds."""
        for chances, length_s in parts:
            for code, chance in chances.items():
                self._weights[code] += chance * length_s

    @property
    def main(self) -> str:
        """The fixed or expected language, else the most spoken one so far; English if nothing was
        heard yet."""
        if (given := self.fixed or self._expected) is not None:
            return given
        return max(self._weights, key=self._weights.__getitem__, default="en")

    def sure(self, parts: Sequence[tuple[Chances, float]]) -> list[str]:
        """Returns the languages that at least one part is clearly in, in order; otherwise the main
        one. If it returns several, the parts switch between them."""
        found = [
            code
            for chances, length_s in parts
            if chances[code := top(chances)] >= SURE and length_s >= LEAST_PART_S
        ]
        return list(dict.fromkeys(found)) or [self.main]


def starts_of_parts(length_s: float) -> list[float]:
    """Returns where the parts of a window start, for language detection. The last part ends with
    the window and may overlap the one before it. A window shorter than a part is one part."""
    starts = [PART_S * number for number in range(int(length_s / PART_S))]
    rest_s = length_s - PART_S * len(starts)
    if not starts or rest_s > 0.5:
        starts.append(max(0.0, length_s - PART_S))
    return starts


def top(chances: Chances) -> str:
    return max(chances, key=chances.__getitem__)


def runs(chances: Sequence[Chances], among: Sequence[str]) -> list[tuple[str, int]]:
    """Groups neighbours in the same language of `among`; returns each language and its count. A
    second or two of speech is enough to choose between languages that are known to be spoken."""
    found: list[tuple[str, int]] = []
    for each in chances:
        code = max(among, key=lambda code: each.get(code, 0.0))
        if found and found[-1][0] == code:
            found[-1] = (code, found[-1][1] + 1)
        else:
            found.append((code, 1))
    return found
