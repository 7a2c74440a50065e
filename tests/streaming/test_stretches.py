"""Live audio is cut where the windows of the same file would be."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from conftest import sample_pcm
from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.vad import (
    FRAME_SAMPLES,
    OpenRegion,
    Region,
    VadState,
    detect_speech,
    speech_regions,
)
from echostream.engine.windows import LONGEST_SPEECH_S, Window, windows
from echostream.streaming.stretches import Stretches

FRAMES_PER_S = SAMPLE_RATE_HZ / FRAME_SAMPLES


def stretches_in(chances: Sequence[float], seed: int = 0) -> list[Region]:
    """Those that are found in frames that come a few at a time."""
    rng, found = random.Random(seed), Stretches()
    at = 0
    while at < len(chances):
        count = rng.randint(1, 90)
        found.look(chances[at : at + count])
        at += count
    return list(found.finished)


def assert_windows(found: Sequence[Region], windows_of_file: Sequence[Window]) -> None:
    """Each has the audio of one window, in whole frames from the pause before it."""
    end = 0
    for region, window in zip(found, windows_of_file, strict=False):
        assert region.start % FRAME_SAMPLES == 0
        assert end - FRAME_SAMPLES < region.start <= window.pieces[0].start
        assert region.start <= window.speech[0].start
        assert window.pieces[0].start - region.start <= SAMPLE_RATE_HZ + FRAME_SAMPLES
        assert region.end == window.pieces[-1].end
        end = region.end


def test_they_are_the_windows_of_the_file() -> None:
    samples = np.concatenate([sample_pcm()] * 2)
    speech = speech_regions(samples, max_region_s=LONGEST_SPEECH_S)
    as_file = list(windows(speech, len(samples)))
    whole = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]
    found = stretches_in(detect_speech(whole, VadState()).chances)
    assert_windows(found, as_file)
    assert len(found) >= len(as_file) - 2 > 2


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_said(seed: int) -> None:
    """Long speeches, short words, breaths, pauses."""
    rng = random.Random(seed)
    chances: list[float] = []
    while len(chances) < 20 * 60 * FRAMES_PER_S:
        speech_s, pause_s = rng.choice([(0.3, 0.2), (4, 0.1), (8, 0.5), (60, 1), (2, 8)])
        chances += [0.9] * int(rng.uniform(0.1, speech_s) * FRAMES_PER_S)
        chances += [0.1] * int(rng.uniform(0.1, pause_s) * FRAMES_PER_S)
    finder = OpenRegion(max_region_s=LONGEST_SPEECH_S)
    speech = [region for chance in chances if (region := finder.take(chance))]
    as_file = list(windows(speech, len(chances) * FRAME_SAMPLES))
    found = stretches_in(chances, seed)
    assert_windows(found, as_file)
    assert len(found) >= len(as_file) - 2 > 10


def test_little_speech_in_hours_is_not_read_at_once() -> None:
    utterance = [0.9] * 30 + [0.1] * int(40 * FRAMES_PER_S)
    found = stretches_in(utterance * 100)
    assert len(found) > 10
    assert max(region.length for region in found) <= 301 * SAMPLE_RATE_HZ
    # Each utterance is in one of them.
    spoken = [number * len(utterance) * FRAME_SAMPLES for number in range(90)]
    assert all(any(region.start <= at < region.end for region in found) for at in spoken)


def test_silence_is_not_read() -> None:
    assert stretches_in([0.1] * 100_000) == []
