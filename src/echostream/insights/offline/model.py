"""How likely a sentence is an action item, a decision, a question that matters, or telling.

Four logistic regressions on the features of a sentence and of those around it. Their weights were
trained by `tools/train_insights.py`; eight bits each, they take 130 kB.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from echostream.insights.offline.features import WINDOWS, Features, features_of
from echostream.insights.offline.sentences import Sentence

Kind = Literal["actions", "decisions", "questions", "telling"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Scores = Mapping[Kind, NDArray[np.float64]]
"""For each kind, a probability for each sentence."""


def scores_of(sentences: Sequence[Sentence]) -> Scores:
    features = features_of(sentences)
    return {kind: probabilities(features, *_weights()[kind]) for kind in KINDS}


def probabilities(
    features: Features, tables: NDArray[np.float32], bias: float
) -> NDArray[np.float64]:
    """`tables` has a row for each of `WINDOWS`."""
    total = np.full(features.count, bias, np.float64)
    for table, offsets in zip(tables, WINDOWS.values(), strict=True):
        products = table[features.columns] * features.values
        own = np.bincount(features.rows, products, minlength=features.count).astype(np.float64)
        for offset in offsets:
            total += shifted(own, offset)
    return np.asarray(1 / (1 + np.exp(-total)), np.float64)


def shifted(values: NDArray[np.float64], offset: int) -> NDArray[np.float64]:
    """For each place the value `offset` places later, or 0 where there is none."""
    moved = np.zeros_like(values)
    if abs(offset) >= len(values):
        return moved
    if offset < 0:
        moved[-offset:] = values[:offset]
    else:
        moved[: len(values) - offset] = values[offset:]
    return moved


@lru_cache(maxsize=1)
def _weights() -> dict[Kind, tuple[NDArray[np.float32], float]]:
    with (files(__package__) / "weights.npz").open("rb") as file:
        stored = np.load(file)
        return {
            kind: (
                stored[f"{kind}_tables"].astype(np.float32) * stored[f"{kind}_scale"],
                float(stored[f"{kind}_bias"]),
            )
            for kind in KINDS
        }
