"""Which parts of recordings may hold the answer to a question: BM25 over their segments.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009). Questions and
answers stand next to each other, so the neighbours of a segment that matches come with it.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain

from echostream.domain import Segment
from echostream.insights.evidence import tokens_of
from echostream.scripts import is_unspaced

_K1 = 1.2
_B = 0.75
_NEIGHBOURS = 2
"""How many segments before and after a match are read with it."""

_SHORTEST_STEM = 3
_PIECE = re.compile(r"\S.{0,499}(?=\s|$)|\S{1,500}", re.DOTALL)
"""Up to 500 characters, cut between words if possible."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that is asked about. `id` is None if there is only one and it has none."""

    segments: tuple[Segment, ...]
    id: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A segment to read, or a piece of a very long one, in the recording of that number. `order`
    counts the pieces of a recording that have text."""

    recording: int
    order: int
    segment: Segment


@dataclass(frozen=True, slots=True)
class Passages:
    """What to read, in order. `coverage` is its share of all text."""

    found: tuple[Passage, ...]
    coverage: float


def find_passages(
    recordings: Sequence[Recording],
    question: str,
    *,
    room: int,
    cost: Callable[[Segment], int],
) -> Passages:
    """The segments to read for a question: all if they fit into `room`, else the best matches with
    their neighbours, and what room is left goes to segments spread evenly over all recordings."""
    rows = _pieces_of(recordings)
    chosen: set[int] = set()
    left = room
    for row in _candidates(rows, _scores(rows, question)):
        price = cost(rows[row].segment)
        if row in chosen or price > room:
            continue
        if price > left:
            break
        chosen.add(row)
        left -= price
    chars = sum(len(row.segment.text) for row in rows)
    read = sum(len(rows[row].segment.text) for row in chosen)
    found = tuple(rows[row] for row in sorted(chosen))
    return Passages(found, read / chars if chars else 1.0)


def _pieces_of(recordings: Iterable[Recording]) -> list[Passage]:
    return [
        Passage(number, order, segment)
        for number, recording in enumerate(recordings)
        for order, segment in enumerate(chain.from_iterable(map(_cut, recording.segments)))
    ]


def _cut(segment: Segment) -> Iterator[Segment]:
    """The segment in pieces that are short enough to be chosen; none if it has no text."""
    for text in _PIECE.findall(segment.text):
        yield replace(segment, text=text)


def _scores(rows: Sequence[Passage], question: str) -> dict[int, float]:
    """The BM25 score of each row that has a word of the question."""
    wanted = set(terms_of(question))
    lengths: list[int] = []
    counts: dict[str, dict[int, int]] = {}
    for number, row in enumerate(rows):
        terms = terms_of(f"{row.segment.speaker or ''} {row.segment.text}")
        lengths.append(len(terms))
        for term in wanted.intersection(terms):
            counts.setdefault(term, {})[number] = terms.count(term)
    mean = max(1.0, sum(lengths) / max(1, len(lengths)))
    scores: dict[int, float] = {}
    for found in counts.values():
        weight = math.log(1 + (len(rows) - len(found) + 0.5) / (len(found) + 0.5))
        for number, count in found.items():
            norm = _K1 * (1 - _B + _B * lengths[number] / mean)
            gain = weight * count * (_K1 + 1) / (count + norm)
            scores[number] = scores.get(number, 0.0) + gain
    return scores


def _candidates(rows: Sequence[Passage], scores: Mapping[int, float]) -> Iterator[int]:
    """Rows from the most to the least promising, some more than once."""
    for row in sorted(scores, key=lambda each: (-scores[each], each)):
        yield from _around(rows, row)
    yield from _spread(len(rows))


def _around(rows: Sequence[Passage], row: int) -> Iterator[int]:
    """The row and its neighbours in the same recording, the nearest first."""
    yield row
    for distance in range(1, _NEIGHBOURS + 1):
        for other in (row - distance, row + distance):
            is_row = 0 <= other < len(rows)
            if is_row and rows[other].recording == rows[row].recording:
                yield other


def _spread(count: int) -> Iterator[int]:
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
        if token.isascii():
            terms.append(_stem(token))
        elif any(map(is_unspaced, token)):
            terms.extend(token[at : at + 2] for at in range(max(1, len(token) - 1)))
        else:
            terms.append(token)
    return terms


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    """`ship` for `ships`, `shipped` and `shipping`; `mov` for `move` and `moving`. Crude, but the
    same for question and recording."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            word = word.removesuffix(ending)
            break
    is_doubled = len(word) > _SHORTEST_STEM and word[-1] == word[-2]
    return word[:-1] if is_doubled else word
