"""The end of a live session: audio that was kept is read once more, and speakers are told."""

import asyncio
import os
import resource
import stat
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import pytest

from echostream.cache import NoCache
from echostream.domain import (
    SAMPLE_RATE_HZ,
    KnownVoice,
    Progress,
    Segment,
    SpeakerOptions,
    Step,
    TranscribeOptions,
    Transcript,
    Voice,
)
from echostream.engine import LiveEngine, Registry, Turns
from echostream.engine.diarizer import SharedDiarizer
from echostream.errors import (
    AudioTooLong,
    EchoStreamError,
    EngineRestarted,
    InvalidAudio,
    InvalidRequest,
    StorageFull,
)
from echostream.speakers import SpeakerFinder
from echostream.streaming.ending import Ending
from echostream.streaming.kept import KeptAudio
from fakes import FakeDiarizer, FakeTranscriber

SECOND = np.arange(SAMPLE_RATE_HZ, dtype=np.int16)
FINDER = SpeakerFinder(NoCache(), timeout_s=60)
OPTIONS = TranscribeOptions(language="en", prompt="Anouk")
ASKED = SpeakerOptions()
SAID = Transcript(
    (Segment(0, 0.0, 1.0, "Hello."), Segment(1, 1.0, 2.0, "Hi.")), "en", 2.0, "fake", "fake-1"
)
READ = Transcript((Segment(0, 0.0, 2.0, "Hello, Hi."),), "en", 2.0, "fake", "fake-1")


class Reader:
    """A final pass; keeps what it was asked for. It fails with `error`, and where `is_endless` it
    only ends when it is cancelled."""

    def __init__(self, error: Exception | None = None, *, is_endless: bool = False) -> None:
        self.heard: list[np.ndarray] = []
        self.asked: list[tuple[TranscribeOptions, SpeakerOptions | None]] = []
        self.begun = asyncio.Event()
        self._error = error
        self._is_endless = is_endless

    async def __call__(
        self,
        audio: BinaryIO,
        options: TranscribeOptions,
        speakers: SpeakerOptions | None,
        progress: Progress,
    ) -> Transcript:
        audio.seek(0)
        with wave.open(audio, "rb") as file:
            assert (file.getframerate(), file.getnchannels()) == (SAMPLE_RATE_HZ, 1)
            self.heard.append(np.frombuffer(file.readframes(file.getnframes()), "<i2"))
        self.asked.append((options, speakers))
        for stage in ("decoding", "transcribing", "done"):
            progress(Step(stage, 1.0))
        self.begun.set()
        if self._is_endless:
            await asyncio.Event().wait()
        if self._error:
            raise self._error
        return READ


def ending_of(
    reader: Reader | None, speakers: SpeakerOptions | None = None, *, most_s: float = 60
) -> Ending:
    """One that has heard two seconds."""
    kept = KeptAudio(most_s)
    ending = Ending(kept, OPTIONS, read_again=reader, speakers=speakers, finder=FINDER)
    ending.hear(SECOND)
    ending.hear(SECOND + 1)
    return ending


async def settled(
    ending: Ending, diarizer: FakeDiarizer | None = None, steps: list[Step] | None = None
) -> Transcript:
    with engine_of(diarizer or FakeDiarizer()) as engine:
        found = await ending.settle(engine, SAID, (steps if steps is not None else []).append)
    ending.close()
    return found


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


class TestKeptAudio:
    def test_nobody_else_can_open_it_and_it_is_gone_with_the_process(self) -> None:
        kept = KeptAudio(60)
        kept.append(SECOND)
        about = os.fstat(kept.file().fileno())
        assert about.st_nlink == 0, "it has a name"
        assert stat.S_IMODE(about.st_mode) == 0o600
        kept.close()

    def test_it_is_gone_when_it_is_closed(self) -> None:
        kept = KeptAudio(60)
        kept.append(SECOND)
        file = kept.file()
        kept.close()
        assert file.closed
        kept.append(SECOND)
        with pytest.raises(InvalidAudio, match="no longer kept"):
            kept.file()

    def test_parts_of_it(self) -> None:
        kept = KeptAudio(60)
        kept.append(SECOND)
        kept.append(SECOND + 1)
        part = kept.samples(SAMPLE_RATE_HZ - 2, SAMPLE_RATE_HZ + 2)
        assert part.tolist() == [SECOND[-2], SECOND[-1], 1, 2]
        assert len(kept.samples()) == 2 * SAMPLE_RATE_HZ
        kept.close()

    def test_none_at_all(self) -> None:
        with pytest.raises(InvalidAudio, match="no audio"):
            KeptAudio(60).file()

    def test_more_than_may_be_kept_is_not_kept_at_all(self) -> None:
        kept = KeptAudio(1.5)
        kept.append(SECOND)
        file = kept.file()
        kept.append(SECOND)
        assert file.closed
        with pytest.raises(AudioTooLong, match="that are kept"):
            kept.samples()

    def test_a_full_disk(self) -> None:
        kept = KeptAudio(60)
        with files_of_at_most(1000):
            kept.append(SECOND)
            kept.append(SECOND)
            with pytest.raises(StorageFull):
                kept.file()
            kept.close()


class TestFinalPass:
    async def test_it_reads_all_of_the_audio_as_the_client_asked(self) -> None:
        reader, steps = Reader(), []
        found = await settled(ending_of(reader, ASKED), steps=steps)
        assert found == READ
        assert (reader.heard[0] == np.concatenate([SECOND, SECOND + 1])).all()
        assert reader.asked == [(OPTIONS, ASKED)]
        assert [step.stage for step in steps] == ["transcribing"]

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (EngineRestarted("the engine stopped"), "the engine stopped"),
            (RuntimeError("/secret/path"), "the speech engine failed"),
        ],
    )
    async def test_if_it_fails_the_live_transcript_stands(
        self, error: Exception, reason: str
    ) -> None:
        found = await settled(ending_of(Reader(error)))
        assert found.segments == SAID.segments
        [warning] = found.warnings
        assert warning.code == "final_pass_failed"
        assert warning.message == f"The audio was not read once more: {reason}."

    async def test_the_live_transcript_still_gets_its_speakers(self) -> None:
        found = await settled(ending_of(Reader(EchoStreamError("no")), ASKED))
        assert [segment.speaker for segment in found.segments] == ["A", "B"]
        assert [each.code for each in found.warnings] == ["final_pass_failed"]

    async def test_more_audio_than_is_kept(self) -> None:
        reader = Reader()
        found = await settled(ending_of(reader, most_s=1))
        assert found.segments == SAID.segments
        assert found.warnings[0].message.endswith("it is longer than the 1 s that are kept.")
        assert reader.heard == []

    @pytest.mark.parametrize("speakers", [None, ASKED])
    async def test_a_server_that_stops_ends_it(self, speakers: SpeakerOptions | None) -> None:
        reader = Reader(is_endless=True)
        ending = ending_of(reader, speakers)
        settling = asyncio.create_task(settled(ending))
        await reader.begun.wait()
        ending.hurry()
        found = await settling
        assert found.segments == SAID.segments
        assert {each.message.partition(": ")[2] for each in found.warnings} == {
            "there was no time for it."
        }

    async def test_it_does_not_begin_where_nobody_has_time(self) -> None:
        diarizer = FakeDiarizer()
        ending = ending_of(Reader(is_endless=True), ASKED)
        ending.hurry()
        found = await settled(ending, diarizer)
        codes = [each.code for each in found.warnings]
        assert codes == ["final_pass_failed", "diarization_failed"]


class TestSpeakersAlone:
    """Without a final pass, the live transcript gets the speakers."""

    async def test_the_whole_audio_is_heard(self) -> None:
        diarizer = FakeDiarizer()
        found = await settled(ending_of(None, ASKED), diarizer)
        assert (diarizer.heard[0] == np.concatenate([SECOND, SECOND + 1])).all()
        assert [segment.speaker for segment in found.segments] == ["A", "B"]

    async def test_a_full_disk_only_costs_the_speakers(self) -> None:
        diarizer = FakeDiarizer()
        with files_of_at_most(1000):
            found = await settled(ending_of(None, ASKED), diarizer)
        assert found.segments == SAID.segments
        assert found.warnings[0].message.endswith("the server had no room for it.")
        assert diarizer.heard == []

    async def test_a_callers_mistake_does_not_end_a_session_without_its_text(self) -> None:
        other = SpeakerOptions(known=(KnownVoice("Ann", Voice("other", (1.0,))),))
        error = InvalidRequest("a voice of another model")
        found = await settled(ending_of(None, other), FakeDiarizer(error=error))
        assert found.warnings[0].code == "diarization_failed"
