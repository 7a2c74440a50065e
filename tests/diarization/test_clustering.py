"""Embeddings are put together by voice, and the number of voices is found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echostream.diarization.clustering import centroids, cut, linkage
from echostream.diarization.counting import Bounds, groups


def voices(*counts: int, spread: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of one random direction for each count, and the direction of each."""
    random = np.random.default_rng(seed)
    people = np.repeat(np.arange(len(counts)), counts)
    directions = np.linalg.qr(random.standard_normal((192, len(counts))))[0].T
    noise = random.standard_normal((len(people), 192)) * spread / np.sqrt(192)
    vectors = directions[people] + noise
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), people


def seconds(vectors: np.ndarray, each_s: float = 2.0) -> np.ndarray:
    return np.full(len(vectors), each_s, np.float32)


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(((one[:, None] == one) == (other[:, None] == other)).all())


def naive_partition(vectors: np.ndarray, count: int) -> np.ndarray:
    """Average linkage by the book: the closest two groups, again and again."""
    members = [[place] for place in range(len(vectors))]
    while len(members) > count:
        pairs = [(a, b) for a in range(len(members)) for b in range(a)]
        a, b = min(
            pairs,
            key=lambda p: 1 - float((vectors[members[p[0]]] @ vectors[members[p[1]]].T).mean()),
        )
        members[b] += members.pop(a)
    labels = np.empty(len(vectors), np.intp)
    for number, group in enumerate(members):
        labels[group] = number
    return labels


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5))
def test_the_tree_is_that_of_average_linkage(seed: int, count: int):
    vectors, _ = voices(5, 4, 3, spread=1.5, seed=seed)
    merges = linkage(vectors, np.ones(len(vectors), np.float32))
    assert same_partition(cut(merges, count), naive_partition(vectors, count))


def test_equal_embeddings_do_not_go_round_in_circles():
    same = np.tile(voices(1)[0], (6, 1))
    assert len(linkage(same, seconds(same))) == 5


def test_centroids_are_in_the_middle_and_of_unit_length():
    vectors, people = voices(8, 8)
    middles = centroids(vectors, seconds(vectors), people)
    assert np.allclose(np.linalg.norm(middles, axis=1), 1)
    assert ((vectors @ middles.T).argmax(axis=1) == people).all()


@pytest.mark.parametrize("counts", [(1,), (12,), (12, 12), (30, 4), (6,) * 8])
@pytest.mark.parametrize("spread", [0.3, 0.9])
def test_the_number_of_voices_is_found(counts: tuple[int, ...], spread: float):
    vectors, people = voices(*counts, spread=spread)
    assert same_partition(groups(vectors, seconds(vectors), Bounds()), people)


@pytest.mark.parametrize(
    ("bounds", "expected"), [((2, 2), 2), ((5, 5), 5), ((1, 2), 2), ((4, 9), 4)]
)
def test_a_given_number_is_kept(bounds: tuple[int, int], expected: int):
    vectors, _ = voices(10, 10, 10)
    assert groups(vectors, seconds(vectors), Bounds(*bounds)).max() + 1 == expected


def test_more_people_than_embeddings_are_not_invented():
    vectors, _ = voices(1, 1)
    assert groups(vectors, seconds(vectors), Bounds(5, 5)).max() + 1 == 2


def test_a_moment_of_noise_is_nobody():
    vectors, people = voices(20, 1)
    lengths = np.where(people == 1, 0.1, 2.0).astype(np.float32)
    assert groups(vectors, lengths, Bounds()).max() == 0
