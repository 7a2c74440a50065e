"""Puts embeddings of the same voice together: average linkage on cosine distance.

The mean distance between two groups of unit vectors is one minus the product of their means, so
the tree needs no matrix of distances: its memory grows with the number of embeddings, not with
its square. The nearest-neighbour chain finds the same tree as a search for the closest pair.
See Müllner, "Modern hierarchical, agglomerative clustering algorithms" (2011).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape (n, dimensions), rows of unit length."""
Labels = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Merge:
    """Two groups become one, which goes by the name of any of its members."""

    one: int
    other: int
    distance: float


def linkage(vectors: Vectors, weights: NDArray[np.float32]) -> list[Merge]:
    """The merges from single embeddings to one group, the closest first."""
    means, sizes = vectors.copy(), weights.copy()
    alive = np.ones(len(vectors), np.bool_)
    chain: list[int] = []
    merges: list[Merge] = []
    while len(merges) < len(vectors) - 1:
        if not chain:
            chain.append(int(np.argmax(alive)))
        here = chain[-1]
        distances = np.where(alive, 1 - means @ means[here], np.inf)
        distances[here] = np.inf
        nearest = int(np.argmin(distances))
        # Of equally near ones the one before, or the chain would never end.
        if len(chain) > 1 and distances[chain[-2]] <= distances[nearest]:
            other = chain[-2]
            merges.append(Merge(here, other, float(distances[other])))
            means[here] = np.average(means[[here, other]], axis=0, weights=sizes[[here, other]])
            sizes[here] += sizes[other]
            alive[other] = False
            del chain[-2:]
        else:
            chain.append(nearest)
    return sorted(merges, key=lambda merge: merge.distance)


def cut(merges: Sequence[Merge], groups: int) -> Labels:
    """The group of each embedding, if the tree is cut where so many groups are left."""
    parents = list(range(len(merges) + 1))

    def root(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for merge in merges[: len(parents) - groups]:
        parents[root(merge.other)] = root(merge.one)
    roots = [root(node) for node in range(len(parents))]
    return np.unique(roots, return_inverse=True)[1]


def centroids(vectors: Vectors, weights: NDArray[np.float32], labels: Labels) -> Vectors:
    """The middle of each group, of unit length."""
    sums = np.zeros((int(labels.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, labels, vectors * weights[:, None])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    units: Vectors = sums / np.maximum(lengths, np.float32(1e-9))
    return units
