"""LexRank, to compare our summaries with: which sentences are most similar to all the others.

Continuous LexRank: Erkan and Radev, "LexRank: Graph-based Lexical Centrality as Salience in Text
Summarization", JAIR 22 (2004), section 3.3. The matrix of similarities is never built: it is the
product of the sentences' tf-idf vectors with themselves, so each step of the power iteration costs
one pass over the words, and hours of speech take well under a second.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_JUMP = 0.15
"""The share of each step that goes to a random sentence (d in the paper)."""

_TOLERANCE = 1e-6
_MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class _Weights:
    """A sparse matrix, sentences by words, as a list of its entries. Its rows have length 1."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    values: NDArray[np.float64]
    shape: tuple[int, int]

    def times(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        products = self.values * vector[self.columns]
        return _sums(self.rows, products, self.shape[0])

    def transposed_times(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        products = self.values * vector[self.rows]
        return _sums(self.columns, products, self.shape[1])


def _sums(
    places: NDArray[np.intp], values: NDArray[np.float64], length: int
) -> NDArray[np.float64]:
    return np.bincount(places, values, minlength=length).astype(np.float64)


def centrality(sentences: Sequence[Sequence[str]]) -> list[float]:
    """A score for each sentence, given as its content words; they add up to 1.

    Sentences without words get the share of a random jump.
    """
    count = len(sentences)
    if count == 0:
        return []
    weights = _tf_idf(sentences)
    if weights.values.size == 0:
        return [1 / count] * count
    # Minus 1: a sentence does not vote for itself. Otherwise greetings, which are like nothing
    # else, would win.
    degrees = weights.times(weights.transposed_times(np.ones(count))) - 1
    degrees[degrees < _TOLERANCE] = np.inf
    scores = np.full(count, 1 / count)
    for _ in range(_MOST_STEPS):
        votes = scores / degrees
        walked = weights.times(weights.transposed_times(votes)) - votes
        stepped = _JUMP / count + (1 - _JUMP) * walked
        stepped /= stepped.sum()
        settled = np.abs(stepped - scores).sum() < _TOLERANCE
        scores = stepped
        if settled:
            break
    return [float(score) for score in scores]


def _tf_idf(sentences: Sequence[Sequence[str]]) -> _Weights:
    counts = [Counter(words) for words in sentences]
    spread = Counter(word for words in counts for word in words)
    column = {word: place for place, word in enumerate(spread)}
    entries = [
        (row, column[word], n) for row, words in enumerate(counts) for word, n in words.items()
    ]
    table = np.array(entries, dtype=np.intp).reshape(-1, 3)
    rows, columns = table[:, 0], table[:, 1]
    frequency = np.array(list(spread.values()), dtype=np.float64)
    # One is added so that a word in every sentence still counts: in a short recording it is often
    # the subject.
    idf = np.log(len(sentences) / frequency) + 1 if frequency.size else frequency
    values = (table[:, 2] * idf[columns]).astype(np.float64)
    norms = np.sqrt(_sums(rows, values**2, len(sentences)))
    return _Weights(rows, columns, values / norms[rows], (len(sentences), len(spread)))
