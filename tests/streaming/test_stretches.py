"""Live audio is cut where the windows of the same file would be."""

import random
from collections.abc import Sequence
from dataclasses import replace

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
from echostream.streaming.stretches import Stretch, Stretches

FRAMES_PER_S = SAMPLE_RATE_HZ / FRAME_SAMPLES


def stretches_in(chances: Sequence[float], seed: int = 0) -> Stretches:
    """Those that are found in frames that come a few at a time."""
    rng, found = random.Random(seed), Stretches()
    at = 0
    while at < len(chances):
        count = rng.randint(1, 90)
        found.look(chances[at : at + count])
        at += count
    return found


def packed(stretch: Stretch) -> list[Window]:
    """The windows of a stretch, in samples of the session."""
    assert stretch.speech is not None
    return [
        Window(moved(window.pieces, stretch.audio.start), moved(window.speech, stretch.audio.start))
        for window in windows(stretch.speech, stretch.audio.length)
    ]


def moved(regions: Sequence[Region], by: int) -> tuple[Region, ...]:
    return tuple(Region(each.start + by, each.end + by) for each in regions)


def assert_windows(found: Stretches, total: int, as_file: list[Window]) -> None:
    """Each stretch is read as one window of the file, and the rest as its other windows; also if
    some of the stretches have not been taken."""
    assert len(found.finished) >= len(as_file) - 2 > 1
    taken: list[Window] = []
    while found.finished:
        assert taken + packed(found.rest(total)) == as_file
        stretch = found.finished.popleft()
        assert not taken or stretch.audio.start >= taken[-1].pieces[-1].end
        assert stretch.audio.start % (SAMPLE_RATE_HZ // 1000) == 0  # times are whole milliseconds
        taken += packed(stretch)
    assert len(taken) < len(as_file)
    assert taken + packed(found.rest(total)) == as_file


@pytest.mark.parametrize("seed", range(3))
def test_they_are_the_windows_of_the_file(seed: int) -> None:
    samples = np.concatenate([sample_pcm()] * 2)
    samples = samples[: len(samples) - seed * 4321]
    speech = speech_regions(samples, max_region_s=LONGEST_SPEECH_S)
    whole = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]
    as_file = list(windows(speech, len(samples)))
    *before, last = as_file[-1].speech  # nobody looks at the last frame if it is not whole
    as_file[-1] = replace(
        as_file[-1], speech=(*before, Region(last.start, min(last.end, len(whole))))
    )
    found = stretches_in(detect_speech(whole, VadState()).chances, seed)
    assert_windows(found, len(samples), as_file)


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_said(seed: int) -> None:
    """Long speeches, short words, breaths, pauses."""
    rng = random.Random(seed)
    chances: list[float] = []
    while len(chances) < 10 * 60 * FRAMES_PER_S:
        speech_s, pause_s = rng.choice([(0.3, 0.2), (4, 0.1), (8, 0.5), (60, 1), (2, 8)])
        chances += [0.9] * int(rng.uniform(0.1, speech_s) * FRAMES_PER_S)
        chances += [0.1] * int(rng.uniform(0.1, pause_s) * FRAMES_PER_S)
    finder = OpenRegion(max_region_s=LONGEST_SPEECH_S)
    speech = [region for chance in chances if (region := finder.take(chance))]
    speech += [region] if (region := finder.close()) else []
    total = len(chances) * FRAME_SAMPLES + rng.randrange(FRAME_SAMPLES)
    assert_windows(stretches_in(chances, seed), total, list(windows(speech, total)))


def test_nothing_is_known_of_what_nobody_looked_at() -> None:
    found = stretches_in([0.9] * 50)
    assert found.rest(50 * FRAME_SAMPLES + 511).speech == (Region(0, 50 * FRAME_SAMPLES),)
    assert Stretches().rest(FRAME_SAMPLES).speech is None


def test_little_speech_in_hours_is_not_read_at_once() -> None:
    words = ([0.9] * 10 + [0.1] * 8) * 2  # with a pause that is no gap in the audio
    utterance = words + [0.1] * int(40 * FRAMES_PER_S)
    found = [*stretches_in(utterance * 100).finished]
    assert len(found) > 10
    assert max(each.audio.length for each in found) <= 301 * SAMPLE_RATE_HZ
    # All speech is in one of them, and in the audio of no other.
    spoken = [region for each in found for region in moved(each.speech or (), each.audio.start)]
    assert len(spoken) > 180
    assert spoken == sorted(set(spoken), key=lambda region: region.start)
    for stretch in found:
        within = [each for each in spoken if stretch.audio.start <= each.start < stretch.audio.end]
        assert within == list(moved(stretch.speech or (), stretch.audio.start))
        assert within[-1].end <= stretch.audio.end


def test_silence_is_not_read() -> None:
    found = stretches_in([0.1] * 100_000)
    assert not found.finished
    assert found.rest(100_000 * FRAME_SAMPLES).speech == ()
