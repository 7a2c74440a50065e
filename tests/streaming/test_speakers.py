"""Who speaks in a live session, told at its end."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from echostream.cache import NoCache
from echostream.domain import SAMPLE_RATE_HZ, KnownVoice, Segment, SpeakerOptions, Transcript, Voice
from echostream.engine import LiveEngine, Registry, Turns
from echostream.engine.diarizer import SharedDiarizer
from echostream.errors import InvalidRequest
from echostream.speakers import SpeakerFinder
from echostream.streaming.speakers import LiveSpeakers
from fakes import FakeDiarizer, FakeTranscriber

SECOND = np.arange(SAMPLE_RATE_HZ, dtype=np.int16)
FINDER = SpeakerFinder(NoCache(), timeout_s=60)
ASKED = SpeakerOptions()
SAID = Transcript(
    (Segment(0, 0.0, 1.0, "Hello."), Segment(1, 1.0, 2.0, "Hi.")), "en", 2.0, "fake", "fake-1"
)


@contextmanager
def engine_of(diarizer: FakeDiarizer) -> Iterator[LiveEngine]:
    turns = Turns(at_once=1)
    shared = SharedDiarizer(lambda: diarizer, turns.give_way, idle_s=60)
    yield LiveEngine(Registry.only(FakeTranscriber), turns, shared)
    shared.close()
    turns.close()


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """As if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_the_whole_audio_is_heard() -> None:
    diarizer = FakeDiarizer()
    speakers = LiveSpeakers(FINDER, ASKED)
    speakers.hear(SECOND)
    speakers.hear(SECOND + 1)
    with engine_of(diarizer) as engine:
        found = await speakers.settle(engine, SAID)
    assert (diarizer.heard[0] == np.concatenate([SECOND, SECOND + 1])).all()
    assert [segment.speaker for segment in found.segments] == ["A", "B"]
    speakers.close()


async def test_a_full_disk_only_costs_the_speakers() -> None:
    diarizer = FakeDiarizer()
    speakers = LiveSpeakers(FINDER, ASKED)
    with files_of_at_most(1000), engine_of(diarizer) as engine:
        speakers.hear(SECOND)
        speakers.hear(SECOND)
        found = await speakers.settle(engine, SAID)
        speakers.close()
    assert found.segments == SAID.segments
    assert found.warnings[0].message.endswith("the server had no room for the audio.")
    assert diarizer.heard == []


async def test_a_session_without_audio() -> None:
    speakers = LiveSpeakers(FINDER, ASKED)
    with engine_of(FakeDiarizer()) as engine:
        assert (await speakers.settle(engine, SAID)).warnings == ()
    speakers.close()


async def test_what_a_caller_got_wrong_does_not_end_a_session_without_its_text() -> None:
    other = SpeakerOptions(known=(KnownVoice("Ann", Voice("other", (1.0,))),))
    speakers = LiveSpeakers(FINDER, other)
    speakers.hear(SECOND)
    error = InvalidRequest("a voice of another model")
    with engine_of(FakeDiarizer(error=error)) as engine:
        found = await speakers.settle(engine, SAID)
    assert found.warnings[0].code == "diarization_failed"
    speakers.close()
