"""Voices that take turns every second are told apart by how moments of them spread."""

import numpy as np
import pytest

from echostream.diarization.counting import Bounds
from echostream.diarization.embeddings import VoiceModel
from echostream.diarization.segmentation import FRAME, FRAMES_PER_S
from echostream.diarization.short_turns import is_mixed, likeliest, told_apart, voices_in

DIMENSIONS = 64
SECOND = 16_000
TURNS = 30
ANY = Bounds()


def voice(number: int) -> np.ndarray:
    return np.eye(DIMENSIONS, dtype=np.float32)[number]


def moments(*shares: tuple[float, ...], spread: float = 0.08) -> np.ndarray:
    """Embeddings of mixtures of voices with so much of each, around which they spread."""
    noise = np.random.default_rng(0).normal(0, spread, (len(shares), DIMENSIONS))
    mixed = sum(
        np.outer([share[number] for share in shares], voice(number))
        for number in range(len(shares[0]))
    )
    vectors = (mixed + noise).astype(np.float32)
    units: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units


ONE = moments(*[(1.0, 0.0)] * 80)
TWO = moments(*[(1.0, 0.0), (0.8, 0.2), (0.2, 0.8), (0.0, 1.0)] * 20)
THREE = moments(*[(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)] * 30)


class ByPitch:
    """Hears the voice of a sound in its highest features, and in each piece a little else."""

    output_size = DIMENSIONS

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        # The mean of each bin is 0, so a voice is told by which bins vary.
        spread = batch.std(axis=1)
        low, high = spread[:, :40].sum(axis=1), spread[:, 40:].sum(axis=1)
        found = self._rng.normal(0, 0.05, (len(batch), DIMENSIONS)).astype(np.float32)
        found[:, 0] += low > high
        found[:, 1] += low <= high
        return found


def alternating(seconds: int, *pitches: float) -> np.ndarray:
    """Each pitch for a second, again and again, in bursts."""
    at = np.arange(SECOND) / SECOND
    bursts = np.sin(2 * np.pi * 10 * at) > 0
    sounds = [np.sin(2 * np.pi * hz * at) * bursts * 9000 for hz in pitches]
    whole = np.concatenate([sounds[second % len(sounds)] for second in range(seconds)])
    return whole.astype(np.int16)


def told(samples: np.ndarray, chances: np.ndarray, bounds: Bounds = ANY) -> list[int]:
    """The speaker in the middle of each second."""
    shares: list[float] = []
    voices = np.array([voice(number) for number in range(chances.shape[1])])
    model = VoiceModel(ByPitch())
    found, heard = told_apart(samples, chances, voices, bounds, model, shares.append)
    assert found.shape == (len(chances), len(heard))
    assert shares == sorted(shares)
    seconds = range(len(samples) // SECOND)
    middles = [round((second + 0.5) * FRAMES_PER_S) for second in seconds]
    return [int(found[middle].argmax()) for middle in middles]


def everywhere(samples: np.ndarray, speakers: int = 1) -> np.ndarray:
    """Each of some speakers speaks all the time."""
    return np.full((len(samples) // FRAME, speakers), 0.9, np.float32)


def test_only_several_voices_are_mixed():
    assert not is_mixed(ONE)
    assert is_mixed(TWO)
    assert is_mixed(THREE)


def test_a_voice_that_spreads_in_every_direction_is_one():
    assert not is_mixed(moments(*[(1.0, 0.0)] * 80, spread=0.3))


def test_a_few_moments_tell_nothing():
    assert not is_mixed(TWO[:30])


@pytest.mark.parametrize(("heard", "expected"), [(ONE, 1), (TWO, 2), (THREE, 3)])
def test_the_voices_of_moments(heard: np.ndarray, expected: int):
    found = voices_in(heard, 10)
    assert len(found) == expected
    own = (found @ voice(0)).max(), (found @ voice(1)).max()
    assert max(own) > 0.8


def test_no_more_voices_than_are_allowed():
    assert len(voices_in(THREE, 2)) == 2
    assert len(voices_in(TWO, 1)) == 1


def test_a_change_has_a_cost():
    likeness = np.array([[0.9, 0.1]] * 4 + [[0.5, 0.55]] + [[0.9, 0.1]] * 4 + [[0.1, 0.9]] * 3)
    assert likeliest(likeness.astype(np.float32)).tolist() == [0] * 9 + [1] * 3


def test_two_voices_that_alternate_every_second():
    samples = alternating(TURNS, 400, 5000)
    found = told(samples, everywhere(samples))
    assert found == [found[0], found[1]] * (TURNS // 2)
    assert found[0] != found[1]


def test_two_voices_that_were_heard_as_two_at_once():
    samples = alternating(TURNS, 400, 5000)
    found = told(samples, everywhere(samples, 2))
    assert found == [found[0], found[1]] * (TURNS // 2)
    assert found[0] != found[1]


def test_one_voice_stays_one():
    samples = alternating(TURNS, 400)
    assert told(samples, everywhere(samples)) == [0] * TURNS


def test_no_more_than_told():
    samples = alternating(TURNS, 400, 5000)
    assert told(samples, everywhere(samples), Bounds(1, 1)) == [0] * TURNS


def test_a_voice_of_somebody_else_is_theirs():
    samples = alternating(TURNS, 400, 5000)
    chances = everywhere(samples, 2)
    half = len(chances) // 2
    chances[:half, 1] = 0  # the first speaker alone, in whom both voices are
    chances[half:, 0] = 0
    samples[len(samples) // 2 :] = np.tile(alternating(1, 5000), TURNS // 2)
    found = told(samples, chances)
    assert len(set(found)) == 2
    assert found[1] == found[-1] != found[0]
