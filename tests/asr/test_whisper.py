"""Whisper through the real faster-whisper path, on the tiny model of `tests/tools`."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from conftest import TINY_WHISPER, sample_pcm, sample_text, sample_turns, word_error_rate
from echostream.asr.whisper import WhisperTranscriber, guarded
from echostream.domain import SAMPLE_RATE_HZ, Segment, TranscribeOptions
from echostream.errors import ModelUnavailable
from echostream.settings import Settings

WORDS = TranscribeOptions(word_timestamps=True)


@pytest.fixture(scope="module")
def whisper():
    transcriber = WhisperTranscriber(TINY_WHISPER, "tiny-meeting", Settings())
    yield transcriber
    transcriber.close()


def read(transcriber: WhisperTranscriber, samples, options=TranscribeOptions()) -> list[Segment]:  # noqa: B008
    return list(transcriber.transcribe(samples, options).segments)


def text_of(segments: list[Segment]) -> str:
    return " ".join(segment.text for segment in segments)


@pytest.fixture(scope="module")
def sample_segments(whisper) -> list[Segment]:
    return read(whisper, sample_pcm(), WORDS)


def test_reads_the_sample(sample_segments):
    assert word_error_rate(sample_text(), text_of(sample_segments)) <= 0.10


def test_language_is_known_by_the_first_segment(whisper):
    work = whisper.transcribe(sample_pcm(), TranscribeOptions())
    next(work.segments)
    assert work.detected.code == "en"
    work.segments.close()


def test_segments_start_where_turns_do(sample_segments):
    starts = [segment.start_s for segment in sample_segments]
    assert starts == sorted(starts)
    met = [
        turn
        for turn in sample_turns()
        if any(abs(start_s - turn["start_s"]) < 0.8 for start_s in starts)
    ]
    # A sentence that the model leaves out may cost one turn its start.
    assert len(met) >= len(sample_turns()) - 1
    assert all(segment.start_s < segment.end_s for segment in sample_segments)
    assert [segment.id for segment in sample_segments] == list(range(len(sample_segments)))


def test_words_lie_in_a_turn_that_says_them(sample_segments):
    words = [word for segment in sample_segments for word in segment.words]
    assert text_of(sample_segments).split() == [word.text for word in words]
    assert all(0 <= word.probability <= 1 for word in words)
    placed = [
        word
        for word in words
        if any(
            turn["start_s"] - 0.3 <= word.start_s <= turn["end_s"]
            and word.text.strip(".,?").lower() in turn["text"].lower()
            for turn in sample_turns()
        )
    ]
    assert len(placed) >= 0.95 * len(words)


def test_long_form(whisper):
    samples = np.tile(sample_pcm(), 3)
    segments = read(whisper, samples)
    assert word_error_rate(sample_text() * 3, text_of(segments)) <= 0.10
    assert segments[-1].end_s > len(samples) / SAMPLE_RATE_HZ - 3


def test_parts_give_the_same_text_and_times(sample_segments):
    in_parts = WhisperTranscriber(TINY_WHISPER, "tiny", Settings(), part_s=35)
    segments = read(in_parts, sample_pcm(), WORDS)
    assert word_error_rate(text_of(sample_segments), text_of(segments)) <= 0.05
    assert abs(segments[-1].end_s - sample_segments[-1].end_s) < 1.0
    in_parts.close()


def test_one_window_at_a_time_gives_the_same_text(sample_segments):
    unbatched = WhisperTranscriber(TINY_WHISPER, "tiny", Settings(whisper_batch_size=1))
    assert text_of(read(unbatched, sample_pcm(), WORDS)) == text_of(sample_segments)
    unbatched.close()


def test_a_prompt_does_not_spoil_the_text(whisper):
    prompted = read(whisper, sample_pcm(), TranscribeOptions(prompt="we discussed the budget"))
    assert word_error_rate(sample_text(), text_of(prompted)) <= 0.15


@pytest.mark.parametrize("level", [0, 200])
def test_says_nothing_without_speech(whisper, level):
    noise = np.random.default_rng(1).normal(0, level, 20 * SAMPLE_RATE_HZ).astype(np.int16)
    work = whisper.transcribe(noise, TranscribeOptions())
    assert list(work.segments) == []
    assert work.detected.code == "und"


def test_no_samples(whisper):
    assert read(whisper, np.zeros(0, np.int16)) == []


def test_an_english_model_says_so_whatever_language_was_asked_for(whisper):
    work = whisper.transcribe(sample_pcm(), TranscribeOptions(language="fr"))
    next(work.segments)
    work.segments.close()
    assert work.detected.code == "en"


def test_threads_share_one_model(whisper):
    with ThreadPoolExecutor(2) as threads:
        one, two = threads.map(lambda _: text_of(read(whisper, sample_pcm())), range(2))
    assert one == two


def test_a_broken_model_is_named_without_its_path(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"junk")
    with pytest.raises(ModelUnavailable, match="'mine' cannot be loaded") as caught:
        WhisperTranscriber(tmp_path, "mine", Settings())
    assert str(tmp_path) not in str(caught.value)


def found(text: str, seek: int = 0, **more: float) -> SimpleNamespace:
    facts = {"no_speech_prob": 0.0, "avg_logprob": -0.2, **more}
    return SimpleNamespace(text=text, seek=seek, **facts)


def test_guard_passes_good_windows_on():
    segments = [found("one"), found("two"), found("three", seek=3000)]
    assert list(guarded(segments, pytest.fail)) == segments


def test_guard_drops_text_made_up_in_silence():
    invented = found("thank you for watching", no_speech_prob=0.9, avg_logprob=-1.5)
    assert list(guarded([invented, found("real", seek=3000)], pytest.fail)) == [
        found("real", seek=3000)
    ]


def test_guard_drops_empty_text():
    assert list(guarded([found(" ")], pytest.fail)) == []


def test_guard_has_a_looping_window_decoded_again():
    loop = [found(" we will see") for _ in range(30)]
    good = found("we will see about that")
    assert list(guarded([*loop, found("next", seek=3000)], lambda _window: [good])) == [
        good,
        found("next", seek=3000),
    ]


def test_guard_cuts_a_loop_that_stays():
    loop = [found(" we will see") for _ in range(30)]
    assert len(list(guarded(loop, lambda window: window))) == 2
