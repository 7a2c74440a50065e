"""What the models see of a sentence: its words and those around it, its form, its place.

Each feature is hashed to a column of a table. Sentences around it use the same columns with tables
of their own, so that each word is hashed once.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from echostream.insights.offline.commitments import (
    decides,
    is_question,
    plainly,
    reading_of,
)
from echostream.insights.offline.due_phrases import due_of
from echostream.insights.offline.sentences import Sentence
from echostream.insights.offline.stopping import stoppable
from echostream.insights.offline.vocabulary import class_of, spoken_words

COLUMNS = 1 << 13
"""Columns of a table. More hardly help: the words are few."""

_SIZE = 3.0
"""The length of a sentence's vector: long and short sentences weigh the same."""

WINDOWS: dict[str, tuple[int, ...]] = {
    "own": (0,),
    "before": (-1, -2),
    "after": (1, 2),
    "around": (-6, -5, -4, -3, 3, 4, 5, 6),
}
"""The tables, and which sentences relative to its own each one sees."""


@dataclass(frozen=True, slots=True)
class Features:
    """The entries of a sparse matrix, sentences by columns. Its rows have one length."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    values: NDArray[np.float32]
    count: int


def features_of(sentences: Sequence[Sentence]) -> Features:
    contents = [_contents(sentence.text) for sentence in stoppable(sentences)]
    uses = Counter(word for words in contents for word in words)
    rows: list[int] = []
    columns: list[int] = []
    lengths = np.zeros(len(sentences), np.float32)
    for row, sentence in enumerate(stoppable(sentences)):
        found = {
            *_word_columns(sentence.text),
            *map(_column, _placed(row, sentences)),
            *map(_column, _recurring(contents[row], uses)),
        }
        rows.extend([row] * len(found))
        columns.extend(found)
        lengths[row] = len(found)
    where = np.array(rows, np.intp)
    values = (_SIZE / np.sqrt(lengths[where])).astype(np.float32)
    return Features(where, np.array(columns, np.intp), values, len(sentences))


def _contents(text: str) -> frozenset[str]:
    return frozenset(word for word in spoken_words(text) if class_of(word)[0] == "<")


def _word_columns(text: str) -> Iterator[int]:
    words = ["<", *map(class_of, spoken_words(text)), ">"]
    for n in (1, 2, 3):
        for start in range(len(words) - n + 1):
            yield _column(" ".join(words[start : start + n]))
    for form in _forms(plainly(text)):
        yield _column(f"form:{form}")
    yield _column(f"length:{min(10, len(words) // 3)}")


def _forms(text: str) -> Iterator[str]:
    """Which of the phrases for tasks, decisions, due times and questions the sentence has."""
    due = due_of(text) is not None
    if is_question(text):
        yield "question"
    if due:
        yield "due"
    if decides(text):
        yield "decides"
    if reading := reading_of(text):
        yield reading.form
        if reading.owner:
            yield "named"
            yield f"{reading.form}, named"
        if due:
            yield f"{reading.form}, due"


def _placed(row: int, sentences: Sequence[Sentence]) -> Iterator[str]:
    left = len(sentences) - row
    speaker = sentences[row].speaker
    if speaker is not None:
        yield f"goes on:{row > 0 and sentences[row - 1].speaker == speaker}"
    yield f"place:{10 * row // len(sentences)}"
    yield f"left:{left.bit_length()}"
    yield f"start:{row.bit_length()}"


def _recurring(words: Collection[str], uses: Counter[str]) -> Iterator[str]:
    """How much the meeting speaks of what the sentence is about."""
    yield f"content:{min(len(words), 8)}"
    if words:
        yield f"most used:{max(uses[word] for word in words).bit_length()}"
        yield f"repeated:{min(sum(uses[word] > 4 for word in words), 5)}"
        yield f"only here:{min(sum(uses[word] == 1 for word in words), 5)}"


@lru_cache(maxsize=100_000)
def _column(feature: str) -> int:
    return crc32(feature.encode()) % COLUMNS
