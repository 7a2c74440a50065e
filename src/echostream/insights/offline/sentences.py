"""Transcripts as sentences, even if the engine writes neither capitals nor punctuation."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from echostream.domain import Segment
from echostream.insights.offline.lexicon import FIRST_NAMES
from echostream.insights.offline.stopping import stoppable
from echostream.scripts import joined_texts

_END = re.compile(
    r"(?<=[!?\u2026])\s+|(?<=\.)\s+(?=[^a-z\s])|(?<=[\u3002\uff01\uff1f\u061f\u0964])\s*|\n+"
)
TERMINAL = (".", "!", "?", "\u2026", "\u3002", "\uff01", "\uff1f", "\u061f", "\u0964")
"""Marks that end a sentence, including those of Chinese, Japanese, Arabic and Hindi."""

_LONG_WORDS = 11
_LONGEST_WORDS = 45
_SHORTEST_WORDS = 4
_SHORTEST_CHARS = 80  # enough for that many words
_ACTOR_WORDS = 2
_MOST_PIECES = 50_000
_MOST_WORDS = 450
_LONGEST_WORD_CHARS = 400
"""Text without an end is cut after so many words, and after so many characters without a space, as
in Chinese. What reads a sentence may then take the square of its length."""

_NAMES = "|".join(sorted(FIRST_NAMES))
_ACTS = (
    "will|must|should|shall|needs to|need to|has to|have to|agreed to|is going to|are going to|"
    "promised to|can you|could you|please"
)
_ACTOR = rf"(?:{_NAMES})(?: and (?:{_NAMES}))?|(?:the|our) (?:[\w'-]+ ){{0,2}}team|we|i|they|you"
_NEW_ACTOR = re.compile(rf",? (?:and|but|so|then) (?=(?:{_ACTOR}) (?:{_ACTS})\b)", re.I)
_CLAUSE = re.compile(
    rf"\b(?:(?:{_ACTOR}) (?:{_ACTS})|we (?:agreed|decided|are|have|cannot|can't)|"
    r"please|let us|let's|thank you|okay|and then|but|so|the next|when will|what is|who will)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, or the closest thing to one, and the segments it was said in."""

    text: str
    segment_ids: tuple[int, ...]
    speaker: str | None = None


def sentences_of(segments: Iterable[Segment]) -> list[Sentence]:
    """All sentences in order of time.

    An engine that punctuates may end a segment in the middle of a sentence; the rest is then joined
    to it. An engine that does not gives long runs of words, which are cut where a clause seems to
    start. What is said after fifty hours is not read.
    """
    spoken = [segment for segment in segments if segment.text.strip()]
    ended = sum(segment.text.rstrip().endswith(TERMINAL) for segment in spoken)
    punctuated = 2 * ended >= len(spoken)
    found: list[Sentence] = []
    pieces = ((segment, text) for segment in spoken for text in _pieces(segment.text))
    for segment, text in stoppable(islice(pieces, _MOST_PIECES)):
        if punctuated and found and _goes_on(found[-1], text, segment.speaker):
            found[-1] = _joined(found[-1], text, segment.id)
        else:
            found.append(Sentence(text, (segment.id,), segment.speaker))
    return [
        replace(sentence, text=text)
        for sentence in stoppable(found)
        for text in _clauses(sentence.text)
    ]


def _pieces(text: str) -> Iterator[str]:
    """`text` cut at its marks, and where it has none for very long, with single spaces."""
    for piece in _END.split(text.strip()):
        words = [
            word[start : start + _LONGEST_WORD_CHARS]
            for word in piece.split()
            for start in range(0, len(word), _LONGEST_WORD_CHARS)
        ]
        for start in range(0, len(words), _MOST_WORDS):
            yield " ".join(words[start : start + _MOST_WORDS])


def _goes_on(last: Sentence, text: str, speaker: str | None) -> bool:
    if last.text.endswith(TERMINAL) or not text[0].islower() or last.speaker != speaker:
        return False
    return len(last.text.split()) + len(text.split()) <= _LONGEST_WORDS


def _joined(last: Sentence, text: str, segment_id: int) -> Sentence:
    ids = last.segment_ids
    whole = joined_texts((last.text, text))
    return replace(last, text=whole, segment_ids=ids if segment_id in ids else (*ids, segment_id))


def _clauses(text: str) -> Iterator[str]:
    """`text` cut where somebody else starts to act, and into clauses if it is very long."""
    for piece in _actors(text):
        words = len(piece.split())
        if words <= _LONG_WORDS or (piece.endswith(TERMINAL) and words <= _LONGEST_WORDS):
            yield piece
        else:
            yield from _cut(piece)


def _actors(text: str) -> Iterator[str]:
    """`text` cut where somebody else starts to act; "sarah and david will" has one actor."""
    start = 0
    for match in _NEW_ACTOR.finditer(text):
        if len(text[start : match.start()].split()) > _ACTOR_WORDS:
            yield text[start : match.start()]
            start = match.end()
    yield text[start:]


def _cut(text: str) -> Iterator[str]:
    """A long run of words, cut before its clauses, into pieces of at most 45 words."""
    start = 0
    for match in _CLAUSE.finditer(text):
        before = text[start : match.start()]
        after = text[match.start() : match.start() + _SHORTEST_CHARS]
        if min(len(before.split()), len(after.split())) >= _SHORTEST_WORDS:
            yield from _bounded(before)
            start = match.start()
    yield from _bounded(text[start:])


def _bounded(text: str) -> Iterator[str]:
    words = text.split()
    for start in range(0, len(words), _LONGEST_WORDS):
        yield " ".join(words[start : start + _LONGEST_WORDS])
