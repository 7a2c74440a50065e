"""Where somebody speaks, and what audio is kept for how long."""

import itertools

import numpy as np
import pytest
from faster_whisper.vad import get_vad_model

from conftest import sample_pcm, sample_turns
from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.vad import FRAME_SAMPLES, VadState, detect_speech, to_float32
from echostream.streaming.speech import SpeechBuffer

MINUTE = 60 * SAMPLE_RATE_HZ


def fill(buffer: SpeechBuffer, samples: np.ndarray, step: int = 1600) -> None:
    state = VadState()
    for start in range(0, len(samples), step):
        buffer.append(samples[start : start + step])
        detected = detect_speech(buffer.new, state)
        buffer.look(detected.chances)
        state = detected.state


def spans(buffer: SpeechBuffer) -> list[tuple[float, float]]:
    return [
        (one.start / SAMPLE_RATE_HZ, (one.end or buffer.end) / SAMPLE_RATE_HZ)
        for one in buffer.utterances
    ]


def test_a_stream_is_heard_as_a_whole_file_is() -> None:
    samples = sample_pcm()[: 500 * FRAME_SAMPLES]
    step = 7 * FRAME_SAMPLES
    state, found = VadState(), []
    for start in range(0, len(samples), step):
        detected = detect_speech(samples[start : start + step], state)
        found += detected.chances
        state = detected.state
    whole = get_vad_model()(to_float32(samples)).reshape(-1)
    assert found == pytest.approx(whole.tolist(), abs=1e-6)
    assert detect_speech(samples[:0], state).chances == []


@pytest.mark.parametrize("step", [160, 1600, 32_000])
def test_every_turn_of_the_sample_lies_in_an_utterance(step: int) -> None:
    buffer = SpeechBuffer()
    fill(buffer, sample_pcm(), step)
    buffer.close()
    found = spans(buffer)
    assert len(found) > 5
    for turn in sample_turns():
        assert any(
            start <= turn["start_s"] + 0.1 and end >= turn["end_s"] - 0.1 for start, end in found
        ), turn
    assert all(end <= following for (_, end), (following, _) in itertools.pairwise(found))


def test_the_step_makes_no_difference() -> None:
    found = []
    for step in (100, 511, 4096, MINUTE):
        buffer = SpeechBuffer()
        fill(buffer, sample_pcm()[:MINUTE], step)
        found.append(spans(buffer))
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("loudness", [0, 30, 1000])
def test_silence_and_noise_are_no_speech_and_are_not_kept(loudness: int) -> None:
    noise = np.random.default_rng(1).normal(0, 1, MINUTE) * loudness
    buffer = SpeechBuffer()
    fill(buffer, noise.astype(np.int16))
    assert not buffer.utterances
    assert buffer.held < SAMPLE_RATE_HZ
    assert buffer.end == MINUTE


def test_an_utterance_begins_with_the_silence_before_it() -> None:
    pause = np.zeros(SAMPLE_RATE_HZ * 3, np.int16)
    buffer = SpeechBuffer()
    fill(buffer, np.concatenate([pause, sample_pcm()[: 2 * SAMPLE_RATE_HZ]]))
    (utterance,) = buffer.utterances
    assert utterance.end is None
    assert 3.0 < utterance.start / SAMPLE_RATE_HZ < 3.3  # the sample has 0.3 s of silence


def test_what_is_dropped_is_gone_and_the_rest_stays_where_it_was() -> None:
    samples = sample_pcm()[: 12 * SAMPLE_RATE_HZ]
    buffer = SpeechBuffer()
    fill(buffer, samples)
    first, second, *_ = buffer.utterances
    assert first.end is not None
    buffer.drop_before(first.start + 8000)
    assert buffer.utterances[0].start == first.start
    assert np.array_equal(buffer.samples(first.start, first.end), samples[first.start : first.end])
    buffer.drop_utterance()
    assert buffer.held == buffer.end - second.start
    assert np.array_equal(
        buffer.samples(second.start, second.start + 100),
        samples[second.start : second.start + 100],
    )


def test_closing_ends_the_utterance_at_work() -> None:
    buffer = SpeechBuffer()
    fill(buffer, sample_pcm()[: 2 * SAMPLE_RATE_HZ])
    buffer.close()
    assert [one.end for one in buffer.utterances] == [2 * SAMPLE_RATE_HZ]
    silent = SpeechBuffer()
    silent.close()
    assert not silent.utterances
