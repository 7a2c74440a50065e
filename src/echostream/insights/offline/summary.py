"""Which sentences to read instead of the whole, chosen so that each adds something.

Greedy coverage of concepts, after Gillick and Favre, "A Scalable Global Model for Summarization"
(2009): a sentence gains by the words and pairs of words that the recording repeats and that no
chosen sentence has, and by how telling it is. The time is linear: only the best few hundred
sentences are compared.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from echostream.insights.offline.lexicon import word_set
from echostream.insights.offline.vocabulary import class_of, spoken_words

_CANDIDATES = 300
_FEWEST_WORDS = 5
_MOST_WORDS = 40
_FEWEST_CONCEPTS = 2
_RARE = 2
"""Concepts said less often count little in a long recording."""

_WRITTEN = word_set("the of to and in for on a with be as would about their by")
_SPOKEN = word_set(
    """
    i you it that this what me my your there do know like just not so if okay yeah
    """
)
"""Words of sentences that report, and of sentences that only make sense to who was there."""

_STYLE = 4.0
_LENGTH = 0.7
"""The longer a sentence, the more it has to add: its gain is divided by this power of its words."""

Concept = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Candidate:
    place: int
    words: int
    worth: float
    concepts: frozenset[Concept] = field(repr=False)


def central(texts: Sequence[str], telling: Sequence[float], words: int) -> list[int]:
    """The places of the chosen sentences, best first, which together have at most `words` words.

    `telling` says how likely each one is worth reporting.
    """
    spoken = [spoken_words(text) for text in texts]
    concepts = [_concepts(each) for each in spoken]
    uses = Counter(concept for each in concepts for concept in each)
    rare = _RARE if len(texts) > _CANDIDATES else 0
    candidates = [
        _Candidate(place, count, _worth(spoken[place], telling[place]), concepts[place])
        for place, text in enumerate(texts)
        if _FEWEST_WORDS <= (count := len(text.split())) <= _MOST_WORDS
        and len(concepts[place]) >= _FEWEST_CONCEPTS
    ]
    candidates.sort(key=lambda candidate: -candidate.worth)
    gains = {concept: math.log1p(n) for concept, n in uses.items() if n > rare}
    return _chosen(candidates[:_CANDIDATES], gains, words) or _first(texts, words)


def _chosen(candidates: list[_Candidate], gains: dict[Concept, float], words: int) -> list[int]:
    chosen: list[int] = []
    covered: set[Concept] = set()
    while candidates:
        best = max(candidates, key=lambda candidate: _gain(candidate, gains, covered))
        if _gain(best, gains, covered) <= 0:
            break
        chosen.append(best.place)
        covered |= best.concepts
        words -= best.words
        candidates = [c for c in candidates if c.words <= words and c.place != best.place]
    return chosen


def _gain(candidate: _Candidate, gains: dict[Concept, float], covered: set[Concept]) -> float:
    added = sum(gains.get(concept, 0.0) for concept in candidate.concepts - covered)
    return candidate.worth * added / math.pow(candidate.words, _LENGTH)


def _worth(words: Sequence[str], telling: float) -> float:
    written = sum(word in _WRITTEN for word in words) - sum(word in _SPOKEN for word in words)
    return math.sqrt(telling) * math.exp(_STYLE * written / max(1, len(words)))


def _concepts(words: Sequence[str]) -> frozenset[Concept]:
    """The content words, and pairs of words that have one."""
    contents = {word for word in words if len(word) > 2 and class_of(word)[0] == "<"}
    pairs = {pair for pair in pairwise(words) if not contents.isdisjoint(pair)}
    return frozenset(contents | pairs)


def _first(texts: Sequence[str], words: int) -> list[int]:
    """What begins the recording, if no sentence says anything."""
    for place, text in enumerate(texts):
        if 0 < len(text.split()) <= words:
            return [place]
    return []
