"""Which parts of recordings may hold the answer to a question: BM25 over their segments.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009). Questions and
answers stand next to each other, so the neighbours of a segment that matches come with it.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from echostream.domain import Segment
from echostream.insights.evidence import tokens_of
from echostream.scripts import is_unspaced

_K1 = 1.2
_B = 0.75
_NEIGHBOURS = 2
"""How many segments before and after a match are read with it."""

_SHORTEST_STEM = 3


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that is asked about. `id` is None if there is only one and it has none."""

    segments: tuple[Segment, ...]
    id: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A segment, by its position in the list of recordings and in its recording."""

    recording: int
    segment: int


@dataclass(frozen=True, slots=True)
class Passages:
    """The places to read, in order. `coverage` is their share of all text."""

    places: tuple[Place, ...]
    coverage: float


def find_passages(
    recordings: Sequence[Recording],
    question: str,
    *,
    room: int,
    cost: Callable[[Segment], int],
) -> Passages:
    """The segments to read for a question: all if they fit into `room`, else the best matches with
    their neighbours, else, if no word matches, segments spread evenly over all recordings."""
    index = _Index(recordings)
    chosen: set[int] = set()
    for row in _candidates(index, question):
        price = cost(index.segments[row])
        if row not in chosen and price <= room:
            chosen.add(row)
            room -= price
    chars = sum(len(index.segments[row].text) for row in chosen)
    places = tuple(index.places[row] for row in sorted(chosen))
    return Passages(places, chars / index.chars if index.chars else 1.0)


@dataclass(slots=True)
class _Index:
    """The segments with text of all recordings in rows, and which words are in which."""

    recordings: Sequence[Recording]
    places: list[Place] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    postings: dict[str, dict[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, recording in enumerate(self.recordings):
            for position, segment in enumerate(recording.segments):
                if segment.text.strip():
                    self._add(Place(number, position), segment)

    def _add(self, place: Place, segment: Segment) -> None:
        terms = terms_of(f"{segment.speaker or ''} {segment.text}")
        row = len(self.segments)
        self.places.append(place)
        self.segments.append(segment)
        self.lengths.append(len(terms))
        for term, count in Counter(terms).items():
            self.postings.setdefault(term, {})[row] = count

    @property
    def chars(self) -> int:
        return sum(len(segment.text) for segment in self.segments)

    def scores(self, question: str) -> dict[int, float]:
        """The BM25 score of each row that has a word of the question."""
        mean = sum(self.lengths) / len(self.lengths) if self.lengths else 1.0
        scores: dict[int, float] = {}
        for term in set(terms_of(question)):
            rows = self.postings.get(term, {})
            weight = math.log(1 + (len(self.segments) - len(rows) + 0.5) / (len(rows) + 0.5))
            for row, count in rows.items():
                norm = _K1 * (1 - _B + _B * self.lengths[row] / (mean or 1.0))
                gain = weight * count * (_K1 + 1) / (count + norm)
                scores[row] = scores.get(row, 0.0) + gain
        return scores

    def around(self, row: int) -> Iterable[int]:
        """The row and its neighbours in the same recording, the nearest first."""
        yield row
        for distance in range(1, _NEIGHBOURS + 1):
            for other in (row - distance, row + distance):
                if self._same_recording(row, other):
                    yield other

    def _same_recording(self, row: int, other: int) -> bool:
        if not 0 <= other < len(self.places):
            return False
        return self.places[other].recording == self.places[row].recording


def _candidates(index: _Index, question: str) -> Iterable[int]:
    """Rows from the most to the least promising."""
    scores = index.scores(question)
    for row in sorted(scores, key=lambda each: (-scores[each], each)):
        yield from index.around(row)
    yield from _spread(len(index.segments))


def _spread(count: int) -> Iterable[int]:
    """0 to `count` - 1, such that every beginning of the list is spread over the whole."""
    step = 1 << max(0, count - 1).bit_length()
    yield from range(min(count, 1))
    while step > 1:
        yield from range(step // 2, count, step)
        step //= 2


def terms_of(text: str) -> list[str]:
    """The words of `text` without case and usual endings; of scripts that have no spaces, each pair
    of characters."""
    terms: list[str] = []
    for token in tokens_of(text):
        if any(map(is_unspaced, token)):
            terms.extend(token[at : at + 2] for at in range(max(1, len(token) - 1)))
        else:
            terms.append(_stem(token) if token.isascii() else token)
    return terms


def _stem(word: str) -> str:
    """`ship` for `ships`, `shipped` and `shipping`; `mov` for `move` and `moving`. Crude, but the
    same for question and recording."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            word = word.removesuffix(ending)
            break
    is_doubled = len(word) > _SHORTEST_STEM and word[-1] == word[-2]
    return word[:-1] if is_doubled else word
