"""Speech regions and cuts in silence, on speech with known pauses."""

import itertools

import numpy as np

from conftest import sample_pcm, sample_turns
from echostream.asr.vad import Region, parts_cut_in_silence, speech_regions
from echostream.domain import SAMPLE_RATE_HZ


def regions_of(samples: np.ndarray, block_s: float = 600) -> list[Region]:
    return speech_regions(samples, min_silence_ms=300, pad_ms=150, max_region_s=30, block_s=block_s)


def test_every_spoken_turn_lies_in_a_region():
    regions = regions_of(sample_pcm())
    for turn in sample_turns():
        middle = (turn["start_s"] + turn["end_s"]) / 2 * SAMPLE_RATE_HZ
        assert any(region.start <= middle < region.end for region in regions)


def test_silence_has_no_region():
    assert regions_of(np.zeros(SAMPLE_RATE_HZ * 3, np.int16)) == []


def test_no_samples_have_no_region():
    assert regions_of(np.zeros(0, np.int16)) == []


def test_blocks_give_the_regions_of_one_pass():
    """Cutting the audio into blocks may move an edge by a frame or two, not lose speech."""
    samples = np.tile(sample_pcm(), 2)
    whole = regions_of(samples)
    in_blocks = regions_of(samples, block_s=40)
    assert len(in_blocks) == len(whole)
    for one, other in zip(in_blocks, whole, strict=True):
        assert abs(one.start - other.start) < 0.2 * SAMPLE_RATE_HZ
        assert abs(one.end - other.end) < 0.2 * SAMPLE_RATE_HZ


def test_parts_cover_all_samples_and_cut_in_pauses():
    samples = np.tile(sample_pcm(), 3)
    parts = list(parts_cut_in_silence(samples, part_s=50, search_s=15))
    assert parts[0].start == 0
    assert parts[-1].end == len(samples)
    assert all(one.end == two.start for one, two in itertools.pairwise(parts))
    assert all(part.end - part.start <= 50 * SAMPLE_RATE_HZ for part in parts)
    quiet = SAMPLE_RATE_HZ // 50
    for part in parts[:-1]:
        around = samples[part.end - quiet : part.end + quiet].astype(float)
        assert np.sqrt((around**2).mean()) < 100


def test_audio_without_a_pause_is_cut_all_the_same():
    tone = (np.sin(np.arange(SAMPLE_RATE_HZ * 21) / 10) * 8000).astype(np.int16)
    parts = list(parts_cut_in_silence(tone, part_s=10, search_s=2))
    assert sum(part.end - part.start for part in parts) == len(tone)
