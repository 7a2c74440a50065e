"""Live audio is read once more: ahead of the end, while the engine has nothing else to do."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from conftest import sample_pcm, sample_text
from echostream.domain import SAMPLE_RATE_HZ, Segment, Step, TranscribeOptions, Transcript, Word
from echostream.engine import LocalEngine, Samples, VadState
from echostream.engine.coverage import speech_without_text
from echostream.engine.vad import FRAME_SAMPLES, Region, detect_speech
from echostream.errors import AudioTooLong, EngineError, EngineRestarted
from echostream.streaming.final_pass import FinalPass
from echostream.streaming.kept import KeptAudio
from echostream.streaming.parts import moved, whole
from streaming.oracle import OracleTranscriber

OPTIONS = TranscribeOptions(prompt="Anouk")
SAMPLE_S = len(sample_pcm()) / SAMPLE_RATE_HZ


class Session:
    """The audio of one session, and its final pass."""

    def __init__(self, engine: LocalEngine, most_s: float = 600) -> None:
        self.kept = KeptAudio(most_s)
        self.final_pass = FinalPass(engine, self.kept, OPTIONS)
        self.steps: list[Step] = []
        self._engine = engine
        self._vad = VadState()

    def hear(self, samples: Samples) -> None:
        self.kept.append(samples)
        detected = detect_speech(
            samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES], self._vad
        )
        self._vad = detected.state
        self.final_pass.look(detected.chances)

    async def end(self) -> Transcript:
        async with asyncio.timeout(30), self._engine.take() as place:
            return await self.final_pass.read_rest(place, self.steps.append)

    async def aclose(self) -> None:
        await self.final_pass.aclose()
        self.kept.close()


@pytest.fixture
async def session(local: LocalEngine) -> AsyncIterator[Session]:
    found = Session(local)
    yield found
    await found.aclose()


async def until_read(oracle: OracleTranscriber, count: int) -> None:
    async with asyncio.timeout(30):
        while len(oracle.calls) < count:  # noqa: ASYNC110 - the engine's thread has no event
            await asyncio.sleep(0.01)


async def test_the_rest_is_all_that_is_left_at_the_end(
    session: Session, oracle: OracleTranscriber
) -> None:
    session.hear(sample_pcm())
    await until_read(oracle, 2)
    found = await session.end()
    assert found.text.split() == sample_text().split()
    assert found.duration_s == pytest.approx(SAMPLE_S)
    assert sum(oracle.seconds) == pytest.approx(SAMPLE_S, abs=0.1)
    assert oracle.seconds[-1] < 10
    assert {each.prompt for each in oracle.calls} == {"Anouk"}
    for seconds, speech in zip(oracle.seconds, oracle.speech, strict=True):
        assert speech
        assert 0 <= speech[0].start < speech[-1].end <= seconds * SAMPLE_RATE_HZ
    assert [each.expected_language for each in oracle.calls] == [None, "en", "en"]
    assert session.steps[0].share == pytest.approx(1 - oracle.seconds[-1] / SAMPLE_S)
    assert " ".join(sample_text().split()).startswith(session.steps[0].text)
    assert session.steps[-1].share == 1
    assert [segment.id for segment in found.segments] == list(range(len(found.segments)))
    starts = [word.start_s for word in found.words]
    assert starts == sorted(starts)


async def test_live_text_is_never_kept_waiting(
    local: LocalEngine, session: Session, oracle: OracleTranscriber
) -> None:
    gate = threading.Event()
    live = asyncio.ensure_future(local.turns.live(lambda: gate.wait(30)))
    await asyncio.sleep(0)
    session.hear(sample_pcm())
    await asyncio.sleep(0.3)  # in which it would have begun
    assert oracle.calls == []
    gate.set()
    await live
    assert (await session.end()).text.split() == sample_text().split()


async def test_at_the_end_it_does_not_wait_for_rest(
    local: LocalEngine, session: Session, oracle: OracleTranscriber
) -> None:
    """The rest is the whole, as somebody else always speaks."""
    gate = threading.Event()
    live = asyncio.ensure_future(local.turns.live(lambda: gate.wait(30)))
    await asyncio.sleep(0)
    session.hear(sample_pcm())
    assert (await session.end()).text.split() == sample_text().split()
    assert oracle.seconds == [pytest.approx(SAMPLE_S)]
    assert not live.done()
    gate.set()
    await live


async def test_what_is_being_read_at_the_end_is_not_read_twice(
    session: Session, oracle: OracleTranscriber
) -> None:
    oracle.hold = threading.Event()
    session.hear(sample_pcm())
    assert await asyncio.to_thread(oracle.asked.wait, 20)
    ending = asyncio.create_task(session.end())
    await asyncio.sleep(0)
    oracle.hold.set()
    found = await ending
    assert found.text.split() == sample_text().split()
    assert sum(oracle.seconds) == pytest.approx(SAMPLE_S, abs=0.1)
    assert len(oracle.calls) == 2


@pytest.mark.parametrize("error", [EngineError("it failed"), EngineRestarted("it ended")])
async def test_what_fails_is_left_for_the_end(
    session: Session, oracle: OracleTranscriber, error: EngineError
) -> None:
    """It may be why the engine has ended."""
    oracle.errors = [error]
    half = 45 * SAMPLE_RATE_HZ // FRAME_SAMPLES * FRAME_SAMPLES
    session.hear(sample_pcm()[:half])
    await until_read(oracle, 1)
    session.hear(sample_pcm()[half:])
    await asyncio.sleep(0.3)  # in which it would have begun again
    assert len(oracle.calls) == 1
    assert (await session.end()).text.split() == sample_text().split()
    assert oracle.seconds[1:] == [pytest.approx(SAMPLE_S)]


async def test_more_audio_than_is_kept(local: LocalEngine) -> None:
    session = Session(local, most_s=50)
    session.hear(sample_pcm())
    with pytest.raises(AudioTooLong, match="that are kept"):
        await session.end()
    await session.aclose()


async def test_closed_while_the_engine_reads(session: Session, oracle: OracleTranscriber) -> None:
    oracle.hold = threading.Event()
    session.hear(sample_pcm())
    assert await asyncio.to_thread(oracle.asked.wait, 20)
    closing = asyncio.create_task(session.aclose())
    await asyncio.sleep(0)
    oracle.hold.set()
    await closing
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(oracle.calls) == 1


def said(*texts: str, start_s: float = 0.0, language: str = "en") -> Transcript:
    """A word a second, each text a segment."""
    segments = []
    for number, text in enumerate(texts):
        words = []
        for word in text.split():
            words.append(Word(start_s, start_s + 0.9, word))
            start_s += 1
        segments.append(
            Segment(
                number, words[0].start_s, words[-1].end_s, text, tuple(words), language=language
            )
        )
    return Transcript(tuple(segments), language, start_s, "fake", "fake-1", (language,))


class TestParts:
    def test_a_sentence_may_go_on(self) -> None:
        parts = [said("We will ship", start_s=5), said("on Friday.", "Thanks.", start_s=8)]
        found = whole(parts)
        assert [each.text for each in found.segments] == ["We will ship on Friday.", "Thanks."]
        assert [each.id for each in found.segments] == [0, 1]
        assert (found.segments[0].start_s, found.segments[0].end_s) == (5, 9.9)
        assert len(found.segments[0].words) == 5

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (said("We will ship."), said("On Friday.", start_s=3)),
            (said("We will ship"), said("on Friday.", start_s=4.5)),
            (said("We will ship"), said("am Freitag.", start_s=3, language="de")),
            (said("one two three four five six seven eight"), said("a b c d e f g h", start_s=8)),
        ],
    )
    def test_or_not(self, before: Transcript, after: Transcript) -> None:
        assert len(whole([before, after]).segments) == 2

    def test_no_space_where_there_is_none(self) -> None:
        assert whole([said("今日は"), said("晴れ", start_s=1)]).text == "今日は晴れ"

    def test_the_languages_are_those_of_all(self) -> None:
        found = whole([said("Hallo", language="de"), said("one two three.", start_s=1)])
        assert (found.language, found.languages) == ("en", ("en", "de"))

    def test_warnings_name_the_times_of_the_session(self) -> None:
        caution = speech_without_text(Region(SAMPLE_RATE_HZ, 3 * SAMPLE_RATE_HZ))
        [found] = moved(said("one").with_cautions([caution]), 10.0).warnings
        assert (found.code, found.start_s, found.end_s) == (caution.code, 11.0, 13.0)
        assert "from 11.0 s to 13.0 s" in found.message

    def test_times_are_those_of_the_session(self) -> None:
        found = moved(said("one two"), 10.0)
        [segment] = found.segments
        assert (segment.start_s, segment.end_s) == (10, 11.9)
        assert [word.start_s for word in segment.words] == [10, 11]
        assert found.duration_s == 12
