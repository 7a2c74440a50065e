"""How well the tiny Whisper reads speech it was not trained on, so that tests can rely on it.

Four minutes of `tests/data/unseen.ogg`: as one long recording, and as clips of a few sentences.
"""

import json
import statistics
from collections.abc import Iterator

import numpy as np
import pytest

from conftest import ROOT, TINY_WHISPER, word_error_rate
from echostream.domain import SAMPLE_RATE_HZ, Segment, TranscribeOptions, Word
from echostream.engine.whisper import WhisperTranscriber, load_whisper
from echostream.media import decode
from echostream.settings import Settings

DATA = ROOT / "tests" / "data"
Span = tuple[str, float, float]


@pytest.fixture(scope="module")
def whisper() -> Iterator[WhisperTranscriber]:
    transcriber = load_whisper(TINY_WHISPER, "tiny-meeting", Settings())
    yield transcriber
    transcriber.close()


@pytest.fixture(scope="module")
def facts() -> dict[str, list[Span]]:
    return json.loads((DATA / "unseen.json").read_text())


@pytest.fixture
async def samples() -> np.ndarray:
    return await decode(DATA / "unseen.ogg", max_audio_s=600, timeout_s=60)


def text_of(spans: list[Span]) -> str:
    return " ".join(text for text, _start, _end in spans)


def read(whisper: WhisperTranscriber, samples: np.ndarray) -> list[Segment]:
    options = TranscribeOptions()
    return list(whisper.transcribe(samples, options).segments)


def clips(sentences: list[Span], longest_s: float) -> Iterator[list[Span]]:
    """Runs of sentences of at most `longest_s`."""
    run: list[Span] = []
    for sentence in sentences:
        if run and sentence[2] - run[0][1] > longest_s:
            yield run
            run = []
        run.append(sentence)
    yield run


async def test_long_form_words_and_times(whisper, facts, samples):
    segments = read(whisper, samples)
    heard = " ".join(segment.text for segment in segments)
    assert word_error_rate(text_of(facts["sentences"]), heard) <= 0.10
    words = [word for segment in segments for word in segment.words]
    assert statistics.median(start_errors(facts["words"], words)) <= 0.3
    for start_s in (segment.start_s for segment in segments):
        assert any(start - 1.5 <= start_s <= end + 0.5 for _, start, end in facts["sentences"])


async def test_clips(whisper, facts, samples):
    reference, heard = [], []
    for run in clips(facts["sentences"], longest_s=20):
        start, end = (int(t * SAMPLE_RATE_HZ) for t in (run[0][1] - 0.2, run[-1][2] + 0.2))
        reference.append(text_of(run))
        heard.append(" ".join(segment.text for segment in read(whisper, samples[start:end])))
    assert len(reference) >= 10
    assert word_error_rate(" ".join(reference), " ".join(heard)) <= 0.10


def start_errors(spoken: list[Span], heard: list[Word]) -> list[float]:
    """For each heard word, how far it is from the nearest time at which that word was said."""
    said: dict[str, list[float]] = {}
    for text, start_s, _end in spoken:
        said.setdefault(plain(text), []).append(start_s)
    return [
        min(abs(start_s - word.start_s) for start_s in said[plain(word.text)])
        for word in heard
        if plain(word.text) in said
    ]


def plain(word: str) -> str:
    return word.lower().strip(".,?!")
