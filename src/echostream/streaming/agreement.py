"""LocalAgreement-2: what two hypotheses in a row agree on is confirmed, and stays.

After Macháček, Dabre and Bojar, "Turning Whisper into Real-Time Transcription System", 2023
(arXiv 2307.14743), section 3. Pure: words in, words out.
"""

from collections.abc import Sequence
from itertools import takewhile

from echostream.domain import Word

_SECOND_COSTS = 1.0
"""How many wrong words it takes to outweigh one second between two times of the same word."""
_MOST_MOVED_S = 1.0
"""Two words that end further apart are not the same one, whatever they say."""


class LocalAgreement:
    """Confirms the words of one stretch of audio that is decoded again and again as it grows.

    Times may differ from one hypothesis to the next by some tenths of a second. What `confirm` and
    `confirm_all` have given is never taken back: later hypotheses are matched with it, and only
    what comes after it counts.
    """

    def __init__(self) -> None:
        self._confirmed: list[Word] = []
        self.tentative: tuple[Word, ...] = ()
        """What the newest hypothesis has beyond the confirmed words."""

    def confirm(self, hypothesis: Sequence[Word]) -> list[Word]:
        """Take in a hypothesis; gives the words that it newly confirms, in its own spelling."""
        rest = self._beyond_confirmed(hypothesis)
        pairs = zip(rest, self.tentative, strict=False)
        agreed = [new for new, _old in takewhile(lambda pair: same(*pair), pairs)]
        self._confirmed += agreed
        self.tentative = tuple(rest[len(agreed) :])
        return agreed

    def confirm_all(self, hypothesis: Sequence[Word], until_s: float = float("inf")) -> list[Word]:
        """Confirm every word of a hypothesis that ends by `until_s`, agreed on or not."""
        rest = self._beyond_confirmed(hypothesis)
        certain = list(takewhile(lambda word: word.end_s <= until_s, rest))
        self._confirmed += certain
        self.tentative = tuple(rest[len(certain) :])
        return certain

    def forget_before(self, time_s: float) -> None:
        """Later hypotheses begin at `time_s`: words that end by then are in none of them."""
        self._confirmed = [word for word in self._confirmed if word.end_s > time_s]

    @property
    def confirmed_until_s(self) -> float | None:
        """The end of the last confirmed word that has not been forgotten."""
        return self._confirmed[-1].end_s if self._confirmed else None

    def _beyond_confirmed(self, hypothesis: Sequence[Word]) -> list[Word]:
        return list(hypothesis[overlap(self._confirmed, hypothesis) :])


def overlap(confirmed: Sequence[Word], hypothesis: Sequence[Word]) -> int:
    """How many words at the start of `hypothesis` are the confirmed ones once more.

    The start whose edit distance to the confirmed words, plus the time between the two ends, is
    least. Times alone would repeat or lose a word that has moved a little, texts alone could not
    tell "very very" from "very". Of equals the longest, since a repetition reads worse than a gap.
    Where most of the words are no longer the same, only their times can tell.
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
    """The Levenshtein distance between all confirmed words and each start of the hypothesis."""
    distances = list(range(len(hypothesis) + 1))
    for row, old in enumerate(confirmed, start=1):
        diagonal, distances[0] = distances[0], row
        for column, new in enumerate(hypothesis, start=1):
            replaced = diagonal + (not same(old, new))
            diagonal = distances[column]
            distances[column] = min(replaced, diagonal + 1, distances[column - 1] + 1)
    return distances


def same(one: Word, other: Word) -> bool:
    """Whether two hypotheses mean the same word, whatever their capitals and punctuation."""
    return _bare(one.text) == _bare(other.text)


def _bare(text: str) -> str:
    letters = "".join(letter for letter in text.casefold() if letter.isalnum())
    return letters or text
