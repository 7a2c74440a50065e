"""How many people speak, and which embeddings are whose.

Every cut of the tree of `clustering` is a guess. The right one is the finest in which no two
groups sound alike. Alike is not one number: noise, telephones and short words move the embeddings
of one person apart, so distances between groups are measured against the spread inside them,
and groups with little speech must differ by more to count as people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echostream.diarization.clustering import Labels, Merge, Vectors, cut, linkage

MOST = 40
"""The most groups that are looked for."""
_ALIKE, _ALIKE_IF_SHORT = 0.77, 0.55
"""Cosines above which two groups are one person; the second if there is hardly any speech."""
_ENOUGH_S = 6.0
"""Speech of a group from which the first of the two applies."""
_NEAREST = 0.36
"""Groups that are nearer than this are not divided, whatever their spread."""
_LEAST_S, _LEAST_SHARE = 0.25, 0.01
"""A group with less speech is not counted as a person."""
_TYPICAL_TIGHTNESS = 0.75


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many people there may be."""

    least: int = 1
    most: int = MOST


def groups(vectors: Vectors, seconds: NDArray[np.float32], bounds: Bounds) -> Labels:
    """The person of each embedding, counted from 0; -1 for the few that are nobody's. `seconds` is
    how much of the audio each stands for."""
    merges = linkage(vectors, seconds)
    finest = min(len(vectors), MOST)
    cuts = [_counted(cut(merges, number), seconds) for number in range(1, finest + 1)]
    found = _estimated(cuts, merges, vectors, seconds)
    people = _people(found)
    if people > bounds.most:
        return _with_count(cuts, bounds.most)
    return found if people >= bounds.least else _with_count(cuts, bounds.least)


def _people(labels: Labels) -> int:
    return int(labels.max()) + 1


def _counted(labels: Labels, seconds: NDArray[np.float32]) -> Labels:
    """The same groups without those that have too little speech."""
    lengths = np.bincount(labels, seconds)
    counts = lengths >= max(_LEAST_S, _LEAST_SHARE * float(seconds.sum()))
    if not counts.any():
        counts[np.argmax(lengths)] = True
    numbers = np.where(counts, np.cumsum(counts) - 1, -1)
    return np.asarray(numbers[labels], np.intp)


def _estimated(
    cuts: Sequence[Labels],
    merges: Sequence[Merge],
    vectors: Vectors,
    seconds: NDArray[np.float32],
) -> Labels:
    best = cuts[0]
    for labels, undone in zip(cuts[1:], reversed(merges), strict=False):
        if undone.distance < _NEAREST:
            break
        if _people(labels) > _people(best) and _all_differ(labels, vectors, seconds):
            best = labels
    return best


def _all_differ(labels: Labels, vectors: Vectors, seconds: NDArray[np.float32]) -> bool:
    means, tightness, lengths = _described(labels, vectors, seconds)
    cosines = means @ means.T / np.sqrt(np.outer(tightness, tightness))
    shorter = np.minimum.outer(lengths, lengths)
    alike = _ALIKE_IF_SHORT + (_ALIKE - _ALIKE_IF_SHORT) * np.minimum(shorter / _ENOUGH_S, 1)
    pairs = np.triu_indices(len(means), 1)
    return bool((cosines < alike)[pairs].all())


def _described(
    labels: Labels, vectors: Vectors, seconds: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The mean of each group, the squared length that it would have with endless speech (1: all
    members are the same), and its seconds."""
    people = _people(labels)
    kept = labels >= 0
    labels, vectors, weights = labels[kept], vectors[kept], seconds[kept].astype(np.float64)
    lengths = np.bincount(labels, weights, people).astype(np.float64)
    means = np.zeros((people, vectors.shape[1]))
    np.add.at(means, labels, vectors * weights[:, None])
    means /= lengths[:, None]
    # The mean of a few unit vectors is too long by chance: by 1/n for n of equal weight.
    chance = np.bincount(labels, weights**2, people) / lengths**2
    several = chance < 0.99
    tightness = (np.square(means).sum(axis=1) - chance) / np.where(several, 1 - chance, 1)
    typical = np.average(tightness[several]) if several.any() else _TYPICAL_TIGHTNESS
    return means, np.where(several, np.maximum(tightness, 0.05), typical), lengths


def _with_count(cuts: Sequence[Labels], people: int) -> Labels:
    """The coarsest cut with so many people, or else the one with the most below that."""
    return next(
        (labels for labels in cuts if _people(labels) == people),
        max((labels for labels in cuts if _people(labels) <= people), key=_people),
    )
