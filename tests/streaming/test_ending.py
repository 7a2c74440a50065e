"""The end of a live session: audio that was kept is read once more, and speakers are told."""

import asyncio
import os
import resource
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import numpy as np
import pytest

from echostream.cache import NoCache
from echostream.domain import (
    SAMPLE_RATE_HZ,
    KnownVoice,
    Segment,
    SpeakerOptions,
    Step,
    TranscribeOptions,
    Transcript,
    Voice,
)
from echostream.engine import Engine, LocalEngine, Registry
from echostream.errors import (
    AudioTooLong,
    EchoStreamError,
    EngineRestarted,
    InvalidAudio,
    InvalidRequest,
    ServerBusy,
    StorageFull,
)
from echostream.speakers import SpeakerFinder
from echostream.streaming.ending import Ending
from echostream.streaming.final_pass import FinalPass
from echostream.streaming.kept import KeptAudio
from fakes import FakeDiarizer, FakeTranscriber
from web.support import settings_of

SECOND = np.arange(SAMPLE_RATE_HZ, dtype=np.int16)
FINDER = SpeakerFinder(NoCache(), timeout_s=60)
OPTIONS = TranscribeOptions(language="en", prompt="Anouk")
ASKED = SpeakerOptions()
SAID = Transcript(
    (Segment(0, 0.0, 1.0, "Hello."), Segment(1, 1.0, 2.0, "Hi.")), "en", 2.0, "fake", "fake-1"
)
READ = "we will ship on friday sarah will call the client"


@asynccontextmanager
async def engine_of(
    transcriber: FakeTranscriber | None = None, diarizer: FakeDiarizer | None = None
) -> AsyncIterator[LocalEngine]:
    fake, voices = transcriber or FakeTranscriber(), diarizer or FakeDiarizer()
    models = Registry.only(lambda: fake, fake.model)
    settings = settings_of(worker_concurrency=1, max_waiting=0)
    engine = LocalEngine(settings, models, lambda _settings: voices)
    yield engine
    await engine.aclose()


def ending_of(
    engine: Engine,
    speakers: SpeakerOptions | None = None,
    *,
    most_s: float = 60,
    final_pass: bool = True,
) -> Ending:
    """One that has heard two seconds."""
    kept = KeptAudio(most_s)
    ending = Ending(
        engine,
        kept,
        final_pass=FinalPass(engine, kept, OPTIONS) if final_pass else None,
        speakers=speakers,
        finder=FINDER,
    )
    ending.hear(SECOND)
    ending.hear(SECOND + 1)
    return ending


async def settled(
    ending: Ending, progress: Callable[[Step], None] = lambda _step: None
) -> Transcript:
    found = await ending.settle(SAID, progress)
    await ending.aclose()
    return found


def codes(found: Transcript) -> list[str]:
    return [each.code for each in found.warnings]


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
        kept.samples()  # so that it has been written
        assert kept._file is not None
        about = os.fstat(kept._file.fileno())
        assert about.st_nlink == 0, "it has a name"
        assert stat.S_IMODE(about.st_mode) == 0o600
        kept.close()

    def test_it_is_gone_when_it_is_closed(self) -> None:
        kept = KeptAudio(60)
        kept.append(SECOND)
        assert len(kept.samples()) == SAMPLE_RATE_HZ
        kept.close()
        kept.append(SECOND)
        with pytest.raises(InvalidAudio, match="no longer kept"):
            kept.samples()

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
            KeptAudio(60).samples()

    def test_more_than_may_be_kept_is_not_kept_at_all(self) -> None:
        kept = KeptAudio(1.5)
        kept.append(SECOND)
        assert len(kept.samples()) == SAMPLE_RATE_HZ
        kept.append(SECOND)
        with pytest.raises(AudioTooLong, match="that are kept"):
            kept.samples()

    def test_a_full_disk(self) -> None:
        kept = KeptAudio(60)
        with files_of_at_most(1000):
            kept.append(SECOND)
            kept.append(SECOND)
            with pytest.raises(StorageFull):
                kept.samples()
            kept.close()


class TestFinalPass:
    async def test_it_reads_all_of_the_audio_as_the_client_asked(self) -> None:
        fake, diarizer, steps = FakeTranscriber(), FakeDiarizer(), list[Step]()
        async with engine_of(fake, diarizer) as engine:
            found = await settled(ending_of(engine, ASKED), steps.append)
        assert found.text == READ
        assert found.duration_s == 2.0
        assert [segment.speaker for segment in found.segments] == ["A", "B"]
        assert (diarizer.heard[0] == np.concatenate([SECOND, SECOND + 1])).all()
        assert fake.calls == [OPTIONS]
        assert {step.stage for step in steps} == {"transcribing", "diarizing"}
        assert (steps[0].share, steps[-1].share) == (0.0, 1.0)

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (EngineRestarted("the engine stopped"), "the engine stopped"),
            (RuntimeError("/secret/path"), "the speech engine failed"),
        ],
    )
    async def test_if_it_fails_the_live_transcript_stands(
        self, error: EchoStreamError, reason: str
    ) -> None:
        async with engine_of(FakeTranscriber(error=error)) as engine:
            found = await settled(ending_of(engine))
        assert found.segments == SAID.segments
        [warning] = found.warnings
        assert warning.code == "final_pass_failed"
        assert warning.message == f"The audio was not read once more: {reason}."

    async def test_the_live_transcript_still_gets_its_speakers(self) -> None:
        async with engine_of(FakeTranscriber(error=EchoStreamError("no"))) as engine:
            found = await settled(ending_of(engine, ASKED))
        assert [segment.speaker for segment in found.segments] == ["A", "B"]
        assert codes(found) == ["final_pass_failed"]

    async def test_more_audio_than_is_kept(self) -> None:
        fake = FakeTranscriber()
        async with engine_of(fake) as engine:
            found = await settled(ending_of(engine, most_s=1))
        assert found.segments == SAID.segments
        assert found.warnings[0].message.endswith("it is longer than the 1 s that are kept.")
        assert fake.calls == []

    async def test_a_full_queue(self) -> None:
        async with engine_of() as engine, engine.take():
            with pytest.raises(ServerBusy):
                engine.check()
            found = await settled(ending_of(engine, ASKED))
        assert found.segments == SAID.segments
        assert codes(found) == ["final_pass_failed", "diarization_failed"]
        assert "every place in the queue is taken" in found.warnings[0].message

    async def test_a_server_that_stops_ends_it(self) -> None:
        hold = threading.Event()
        fake = FakeTranscriber(hold=hold)
        async with engine_of(fake) as engine:
            ending = ending_of(engine, ASKED)
            settling = asyncio.create_task(settled(ending))
            assert await asyncio.to_thread(fake.started.wait, 20)
            ending.hurry()
            for _ in range(3):
                await asyncio.sleep(0)
                ending.hurry()  # it ends already, and waits for the engine to stop
            hold.set()
            found = await settling
        assert found.segments == SAID.segments
        assert {each.message.partition(": ")[2] for each in found.warnings} == {
            "there was no time for it."
        }

    async def test_text_that_was_read_stays_if_there_is_no_time_for_speakers(self) -> None:
        hold, steps = threading.Event(), list[Step]()
        async with engine_of(diarizer=FakeDiarizer(hold=hold)) as engine:
            ending = ending_of(engine, ASKED)

            def hurry(step: Step) -> None:
                steps.append(step)
                if step.stage == "diarizing":
                    ending.hurry()

            found = await settled(ending, hurry)
            hold.set()
        assert found.text == READ
        assert codes(found) == ["diarization_failed"]

    async def test_it_does_not_begin_where_nobody_has_time(self) -> None:
        fake, diarizer = FakeTranscriber(), FakeDiarizer()
        async with engine_of(fake, diarizer) as engine:
            ending = ending_of(engine, ASKED)
            ending.hurry()
            found = await settled(ending)
        assert codes(found) == ["final_pass_failed", "diarization_failed"]
        assert (fake.calls, diarizer.calls) == ([], [])


class TestSpeakersAlone:
    """Without a final pass, the live transcript gets the speakers."""

    async def test_the_whole_audio_is_heard(self) -> None:
        fake, diarizer, steps = FakeTranscriber(), FakeDiarizer(), list[Step]()
        async with engine_of(fake, diarizer) as engine:
            found = await settled(ending_of(engine, ASKED, final_pass=False), steps.append)
        assert (diarizer.heard[0] == np.concatenate([SECOND, SECOND + 1])).all()
        assert [segment.speaker for segment in found.segments] == ["A", "B"]
        assert (fake.calls, steps) == ([], [])

    async def test_a_full_disk_only_costs_the_speakers(self) -> None:
        diarizer = FakeDiarizer()
        with files_of_at_most(1000):
            async with engine_of(diarizer=diarizer) as engine:
                found = await settled(ending_of(engine, ASKED, final_pass=False))
        assert found.segments == SAID.segments
        assert found.warnings[0].message.endswith("the server had no room for it.")
        assert diarizer.heard == []

    async def test_a_callers_mistake_does_not_end_a_session_without_its_text(self) -> None:
        other = SpeakerOptions(known=(KnownVoice("Ann", Voice("other", (1.0,))),))
        error = InvalidRequest("a voice of another model")
        async with engine_of(diarizer=FakeDiarizer(error=error)) as engine:
            found = await settled(ending_of(engine, other, final_pass=False))
        assert codes(found) == ["diarization_failed"]
