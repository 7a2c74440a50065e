"""LocalAgreement-2: words on which two consecutive hypotheses agree are confirmed for good.

After Macháček, Dabre and Bojar, "Turning Whisper into Real-Time Transcription System", 2023
(arXiv 2307.14743), section 3. Pure functions of words.
"""

from collections.abc import Sequence
from itertools import takewhile

from echostream.domain import Word

_SECOND_COSTS = 1.0
"""How many wrong words weigh as much as a second between two times of the same word."""
_MOST_MOVED_S = 1.0
"""Two words whose ends are further apart are different words, even with the same text."""


class LocalAgreement:
    """Confirms the words of a piece of audio that grows and is decoded again and again.

    Times may differ by some tenths of a second between hypotheses. Words that `confirm` and
    `confirm_all` have returned never change: later hypotheses are aligned with them, and only the
    words after them count.
    """

    def __init__(self) -> None:
        self._confirmed: list[Word] = []
        self.tentative: tuple[Word, ...] = ()
        """The words of the latest hypothesis after the confirmed ones."""

    def confirm(self, hypothesis: Sequence[Word]) -> list[Word]:
        """Takes a hypothesis; returns the words that it confirms, in its own spelling."""
        rest = self._beyond_confirmed(hypothesis)
        pairs = zip(rest, self.tentative, strict=False)
        agreed = [new for new, _old in takewhile(lambda pair: same(*pair), pairs)]
        self._confirmed += agreed
        self.tentative = tuple(rest[len(agreed) :])
        return agreed

    def confirm_all(self, hypothesis: Sequence[Word], until_s: float = float("inf")) -> list[Word]:
        """Confirms every word of a hypothesis that ends by `until_s`, whether agreed on or not."""
        rest = self._beyond_confirmed(hypothesis)
        certain = list(takewhile(lambda word: word.end_s <= until_s, rest))
        self._confirmed += certain
        self.tentative = tuple(rest[len(certain) :])
        return certain

    def forget_before(self, time_s: float) -> None:
        """Later hypotheses start at `time_s` and have no words that end before it."""
        self._confirmed = [word for word in self._confirmed if word.end_s > time_s]

    @property
    def confirmed_until_s(self) -> float | None:
        """The end of the last confirmed word that has not been forgotten."""
        return self._confirmed[-1].end_s if self._confirmed else None

    def _beyond_confirmed(self, hypothesis: Sequence[Word]) -> list[Word]:
        return list(hypothesis[overlap(self._confirmed, hypothesis) :])


def overlap(confirmed: Sequence[Word], hypothesis: Sequence[Word]) -> int:
    """How many words at the start of `hypothesis` repeat the confirmed ones.

    The best length has the smallest sum of edit distance to the confirmed words and time between
    both ends. Times alone would repeat or lose a word that has moved a little; texts alone could
    not distinguish "very very" from "very". Among equally good lengths the longest wins, because a
    repetition reads worse than a gap. If most words have changed, only their times decide.
    """
    if not confirmed:
        return 0
    end_s = confirmed[-1].end_s
    distances = _distances(confirmed, hypothesis)

    def cost(length: int) -> float:
        reached_s = hypothesis[length - 1].end_s if length else confirmed[0].start_s
        return distances[length] + _SECOND_COSTS * abs(reached_s - end_s)

    past = sum(word.end_s <= end_s - _MOST_MOVED_S for word in hypothesis)
    near = sum(word.start_s < end_s + _MOST_MOVED_S for word in hypothesis)
    best = min(range(max(past, near), past - 1, -1), key=cost)
    if distances[best] <= len(confirmed) / 2:
        return best
    return sum(word.start_s + word.end_s < 2 * end_s for word in hypothesis)


def _distances(confirmed: Sequence[Word], hypothesis: Sequence[Word]) -> list[int]:
    """The Levenshtein distance of all confirmed words to each prefix of the hypothesis."""
    distances = list(range(len(hypothesis) + 1))
    for row, old in enumerate(confirmed, start=1):
        diagonal, distances[0] = distances[0], row
        for column, new in enumerate(hypothesis, start=1):
            replaced = diagonal + (not same(old, new))
            diagonal = distances[column]
            distances[column] = min(replaced, diagonal + 1, distances[column - 1] + 1)
    return distances


def same(one: Word, other: Word) -> bool:
    """Whether two words are the same apart from capitals and punctuation."""
    return _bare(one.text) == _bare(other.text)


def _bare(text: str) -> str:
    letters = "".join(letter for letter in text.casefold() if letter.isalnum())
    return letters or text
