"""Speech regions, on speech with known pauses."""

from itertools import pairwise

import numpy as np
import pytest

from conftest import sample_pcm, sample_turns
from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.vad import Region, speech_regions


def regions_of(samples: np.ndarray, longest_s: float = 28.0) -> list[Region]:
    return list(speech_regions(samples, max_region_s=longest_s))


def test_every_spoken_turn_lies_in_a_region():
    regions = regions_of(sample_pcm())
    for turn in sample_turns():
        middle = (turn["start_s"] + turn["end_s"]) / 2 * SAMPLE_RATE_HZ
        assert any(region.start <= middle < region.end for region in regions)


def test_silence_has_no_region():
    assert regions_of(np.zeros(SAMPLE_RATE_HZ * 3, np.int16)) == []


@pytest.mark.parametrize("count", [0, 1, 511, 513])
def test_next_to_no_samples_have_no_region(count):
    assert regions_of(np.zeros(count, np.int16)) == []


def test_a_recording_said_twice_has_the_regions_of_one_again():
    once, twice = regions_of(sample_pcm()), regions_of(np.tile(sample_pcm(), 2))
    assert len(twice) == 2 * len(once)
    for one, other in zip(once, twice, strict=False):
        assert abs(one.start - other.start) < 0.2 * SAMPLE_RATE_HZ
        assert abs(one.end - other.end) < 0.2 * SAMPLE_RATE_HZ


def test_regions_are_found_as_they_are_asked_for():
    """A long recording need not be looked through before its first words are read."""
    samples = np.tile(sample_pcm(), 60)
    first = next(speech_regions(samples, max_region_s=28))
    assert first == regions_of(sample_pcm())[0]


def without_pauses(seconds: float) -> np.ndarray:
    """Speech with every pause cut out, said again and again."""
    speech = np.concatenate([sample_pcm()[one.start : one.end] for one in regions_of(sample_pcm())])
    return np.tile(speech, 10)[: int(seconds * SAMPLE_RATE_HZ)]


def test_speech_without_a_pause_is_cut_and_nothing_is_lost():
    samples = without_pauses(70)
    regions = regions_of(samples, longest_s=10)
    assert all(region.length <= 10 * SAMPLE_RATE_HZ for region in regions)
    missing = len(samples) - sum(region.length for region in regions)
    assert missing < 0.05 * len(samples)
    assert all(before.end <= after.start for before, after in pairwise(regions))


def test_speech_to_the_last_sample():
    samples = without_pauses(5)[: 5 * SAMPLE_RATE_HZ - 77]
    left_s = (len(samples) - regions_of(samples)[-1].end) / SAMPLE_RATE_HZ
    assert 0 <= left_s < 0.16
