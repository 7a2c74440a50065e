"""Whisper through the real path, on the tiny model that `tools/` made."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from conftest import TINY_WHISPER, sample_pcm, sample_text, sample_turns, word_error_rate
from echostream.domain import SAMPLE_RATE_HZ, Segment, TranscribeOptions, joined
from echostream.engine.vad import Region
from echostream.engine.whisper import WhisperTranscriber, load_whisper
from echostream.errors import ModelUnavailable
from echostream.settings import Settings


@pytest.fixture(scope="module")
def whisper():
    transcriber = load_whisper(TINY_WHISPER, "tiny-meeting", Settings())
    yield transcriber
    transcriber.close()


def read(transcriber: WhisperTranscriber, samples, options=TranscribeOptions()) -> list[Segment]:  # noqa: B008
    return list(transcriber.transcribe(samples, options).segments)


@pytest.fixture(scope="module")
def sample_segments(whisper) -> list[Segment]:
    return read(whisper, sample_pcm())


def test_reads_the_sample(sample_segments):
    assert word_error_rate(sample_text(), joined(sample_segments)) <= 0.05


def test_language_is_known_by_the_first_segment(whisper):
    work = whisper.transcribe(sample_pcm(), TranscribeOptions())
    next(work.segments)
    assert work.report.language == "en"
    work.segments.close()


def test_reads_only_the_speech_that_it_is_told_of(whisper):
    second, last = sample_turns()[1], sample_turns()[-1]
    speech = [
        Region(*(int(turn[edge] * SAMPLE_RATE_HZ) for edge in ("start_s", "end_s")))
        for turn in (second, last)
    ]
    found = whisper.transcribe(sample_pcm(), TranscribeOptions(), speech=speech)
    said = joined(list(found.segments))
    assert word_error_rate(f"{second['text']} {last['text']}", said) <= 0.05
    nothing = whisper.transcribe(sample_pcm(), TranscribeOptions(), speech=())
    assert list(nothing.segments) == []


def test_segments_start_where_turns_do(sample_segments):
    starts = [segment.start_s for segment in sample_segments]
    assert starts == sorted(starts)
    for turn in sample_turns():
        assert any(abs(start_s - turn["start_s"]) < 0.8 for start_s in starts)
    assert all(segment.start_s < segment.end_s for segment in sample_segments)
    assert [segment.id for segment in sample_segments] == list(range(len(sample_segments)))


def test_words_lie_in_a_turn_that_says_them(sample_segments):
    words = [word for segment in sample_segments for word in segment.words]
    assert joined(sample_segments) == joined(words)
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
    assert word_error_rate(sample_text() * 3, joined(segments)) <= 0.05
    assert segments[-1].end_s > len(samples) / SAMPLE_RATE_HZ - 3


def test_one_window_at_a_time_gives_the_same_text(sample_segments):
    unbatched = load_whisper(TINY_WHISPER, "tiny", Settings(whisper_batch_size=1))
    assert joined(read(unbatched, sample_pcm())) == joined(sample_segments)
    unbatched.close()


@pytest.mark.parametrize("level", [0, 200])
def test_says_nothing_without_speech(whisper, level):
    noise = np.random.default_rng(1).normal(0, level, 20 * SAMPLE_RATE_HZ).astype(np.int16)
    work = whisper.transcribe(noise, TranscribeOptions())
    assert list(work.segments) == []
    assert work.report.language == "und"


def test_no_samples(whisper):
    assert read(whisper, np.zeros(0, np.int16)) == []


def test_an_english_model_says_so_whatever_language_was_asked_for(whisper):
    work = whisper.transcribe(sample_pcm(), TranscribeOptions(language="fr"))
    next(work.segments)
    work.segments.close()
    assert work.report.language == "en"


def test_threads_share_one_model(whisper):
    with ThreadPoolExecutor(2) as threads:
        one, two = threads.map(lambda _: joined(read(whisper, sample_pcm())), range(2))
    assert one == two


def test_a_broken_model_is_named_without_its_path(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"junk")
    with pytest.raises(ModelUnavailable, match="'mine' cannot be loaded") as caught:
        load_whisper(tmp_path, "mine", Settings())
    assert str(tmp_path) not in str(caught.value)
