"""pocketsphinx in its child process, on real speech."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from conftest import sample_pcm
from echostream.domain import SAMPLE_RATE_HZ, TranscribeOptions
from echostream.engine import Registry
from echostream.engine.sphinx import SphinxTranscriber
from echostream.errors import EngineError, InvalidRequest
from processes import children


@pytest.fixture
def sphinx():
    transcriber = SphinxTranscriber()
    yield transcriber
    transcriber.close()
    assert not children()


def first_seconds(seconds: float) -> np.ndarray:
    return sample_pcm()[: int(seconds * SAMPLE_RATE_HZ)]


def test_reads_each_utterance_as_a_segment_with_times(sphinx):
    work = sphinx.transcribe(first_seconds(9), TranscribeOptions())
    segments = list(work.segments)
    assert work.report.language == "en"
    assert "let us start with the budget" in segments[0].text
    assert [segment.id for segment in segments] == list(range(len(segments)))
    for segment in segments:
        assert segment.words[0].start_s == segment.start_s
        assert segment.words[-1].end_s == segment.end_s
        starts = [word.start_s for word in segment.words]
        assert starts == sorted(starts)


@pytest.mark.parametrize("level", [0, 200])
def test_says_nothing_without_speech(sphinx, level):
    noise = np.random.default_rng(1).normal(0, level, 5 * SAMPLE_RATE_HZ).astype(np.int16)
    assert list(sphinx.transcribe(noise, TranscribeOptions()).segments) == []


def test_refuses_other_languages_before_any_work(sphinx):
    with (
        pytest.raises(InvalidRequest, match="'en-us' knows English only"),
        Registry.only(lambda: sphinx).use(TranscribeOptions(language="fr")),
    ):
        pass


def test_a_killed_child_is_an_error_and_the_next_call_works(sphinx):
    pcm = first_seconds(9)
    work = sphinx.transcribe(pcm, TranscribeOptions())
    first = next(work.segments)
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    with pytest.raises(EngineError, match="has ended"):
        list(work.segments)
    assert next(sphinx.transcribe(pcm, TranscribeOptions()).segments) == first


def test_a_child_that_died_while_idle_is_replaced(sphinx):
    pcm = first_seconds(4)
    list(sphinx.transcribe(pcm, TranscribeOptions()).segments)
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # it is dead now, and not yet reaped
    assert list(sphinx.transcribe(pcm, TranscribeOptions()).segments)


def test_closing_early_gives_the_child_back(sphinx):
    work = sphinx.transcribe(first_seconds(9), TranscribeOptions())
    next(work.segments)
    work.segments.close()
    before = children()
    list(sphinx.transcribe(first_seconds(4), TranscribeOptions()).segments)
    assert children() == before


def test_two_threads_get_a_child_each(sphinx):
    def words(_number: int) -> str:
        return " ".join(
            segment.text
            for segment in sphinx.transcribe(first_seconds(4), TranscribeOptions()).segments
        )

    with ThreadPoolExecutor(2) as threads:
        one, two = threads.map(words, range(2))
    assert one == two
    assert len(children()) <= 2
