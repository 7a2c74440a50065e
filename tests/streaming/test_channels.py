"""A live session whose channels are read apart, with an engine that knows the sample by heart: two
people who talk at the same time, each with a part of the sample."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from conftest import sample_pcm
from echostream.cache import NoCache
from echostream.domain import (
    SAMPLE_RATE_HZ,
    SpeakerOptions,
    TranscribeOptions,
)
from echostream.engine import LiveEngine, LocalEngine
from echostream.errors import AudioTooLong, EngineError, TooFast
from echostream.speakers import SpeakerFinder
from echostream.streaming import Event, Final, Partial
from echostream.streaming.channels import ChannelSession
from echostream.streaming.ending import Ending
from echostream.streaming.final_pass import FinalPass
from echostream.streaming.forms import AudioForm
from echostream.streaming.insights import LiveInsights
from echostream.streaming.interleaving import Interleaving
from echostream.streaming.kept import KeptAudio
from fakes import FakeInsights, voice_of
from streaming.conftest import cut
from streaming.oracle import OracleTranscriber, sample_words

FORM = AudioForm("pcm", channels=2, apart=True)
LENGTH = 15 * SAMPLE_RATE_HZ
STARTS = (0, 16 * SAMPLE_RATE_HZ)
PARTS = [sample_pcm()[start : start + LENGTH] for start in STARTS]
BOTH = np.stack(PARTS, axis=1).tobytes()


def words_of(number: int) -> list[str]:
    """What is said whole in a channel."""
    start_s, end_s = STARTS[number] / SAMPLE_RATE_HZ, (STARTS[number] + LENGTH) / SAMPLE_RATE_HZ
    return [word.text for word in sample_words() if start_s <= word.start_s and word.end_s <= end_s]


class Client:
    """Feeds a session and keeps what it says."""

    def __init__(self, session: ChannelSession) -> None:
        self.session = session
        self.events: list[Event] = []
        self._heard = asyncio.Condition()
        session.told.listener = self._listen

    async def _listen(self, event: Event) -> None:
        async with self._heard:
            self.events.append(event)
            self._heard.notify_all()

    async def send(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            await self.session.feed(piece)

    async def send_numbered(self, pieces: Iterable[bytes]) -> None:
        for seq, piece in enumerate(pieces):
            await self.session.feed(piece, seq)

    async def told(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(60), self._heard:
            await self._heard.wait_for(is_so)

    async def end(self) -> Final:
        self.session.finish()
        await self.told(lambda: any(isinstance(event, Final) for event in self.events))
        return self.session.final.result()

    @property
    def partials(self) -> list[Partial]:
        return [event for event in self.events if isinstance(event, Partial)]

    @property
    def spoken(self) -> list[Partial]:
        return [partial for partial in self.partials if partial.text]

    def said_by(self, number: int) -> list[str]:
        return " ".join(one.text for one in self.spoken if one.channel == number).split()


@asynccontextmanager
async def client_of(engine: LiveEngine, **more: Any) -> AsyncIterator[Client]:
    given: dict[str, Any] = {"form": FORM, "max_audio_s": 600, "options": TranscribeOptions()}
    # On a busy machine one channel may be late for long.
    given |= {"text": Interleaving(2, most_wait_s=3600)} | more
    analyse = given.pop("analyse", None)
    places = given.pop("places", [engine, engine])
    session = ChannelSession(places, analyse, **given)
    try:
        yield Client(session)
    finally:
        await session.aclose()


async def test_nothing_is_lost_and_all_is_told_in_order(engine: LiveEngine) -> None:
    async with client_of(engine) as client:
        await client.send(cut(BOTH, 1))
        final = await client.end()
    assert final.error is None
    for number in (0, 1):
        assert client.said_by(number) == words_of(number)
    assert [one.seq for one in client.spoken] == list(range(1, len(client.spoken) + 1))
    assert all(one.start_s <= other.start_s for one, other in pairwise(client.spoken))
    assert client.session.told.partials == client.spoken
    assert final.live_text == "".join(one.text for one in client.spoken)
    assert len(final.live_text.split()) == len(words_of(0) + words_of(1))
    speakers = {one.channel: one.speaker for one in client.spoken}
    assert sorted(speakers.values(), key=str) == ["A", "B"]
    for one in client.spoken:
        assert (one.labels[0].seq, one.labels[0].speaker) == (one.seq, speakers[one.channel])


async def test_the_transcript_is_that_of_separate_channels(engine: LiveEngine) -> None:
    async with client_of(engine, analyse=FakeInsights().analyse) as client:
        await client.send([BOTH])
        final = await client.end()
    segments = final.transcript.segments
    assert [one.id for one in segments] == list(range(len(segments)))
    assert [one.start_s for one in segments] == sorted(one.start_s for one in segments)
    for number in (0, 1):
        mine = [one for one in segments if one.channel == number]
        assert " ".join(one.text for one in mine).split() == words_of(number)
        assert len({one.speaker for one in mine}) == 1
    assert segments[0].speaker == "A"
    assert {(one.id, one.channel) for one in final.transcript.speakers} == {
        (one.speaker, one.channel) for one in segments
    }
    assert final.transcript.duration_s == 15
    assert final.insights is not None


async def test_text_comes_while_they_speak(engine: LiveEngine) -> None:
    async with client_of(engine) as client:
        await client.send(cut(BOTH, 2)[:60])
        await client.told(lambda: {one.channel for one in client.spoken} == {0, 1})
        assert any(one.tentative for one in client.partials)


async def test_somebody_who_is_silent_keeps_nobody_waiting(engine: LiveEngine) -> None:
    alone = np.stack([PARTS[0], np.zeros_like(PARTS[0])], axis=1).tobytes()
    async with client_of(engine) as client:
        await client.send(cut(alone, 3)[:60])
        await client.told(lambda: bool(client.spoken))
        await client.send(cut(alone, 3)[60:])
        final = await client.end()
    assert client.said_by(0) == words_of(0)
    assert final.live_text == final.transcript.text
    assert [one.channel for one in final.transcript.speakers] == [0]


class LateDetector:
    """A place whose detector of speech waits until it is let go."""

    def __init__(self, engine: LiveEngine) -> None:
        self._engine = engine
        self.may_go = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def detect(self, *given: Any) -> Any:
        await self.may_go.wait()
        return await self._engine.detect(*given)


async def test_text_is_told_as_soon_as_the_others_have_nothing_earlier(engine: LiveEngine) -> None:
    pause = np.zeros(SAMPLE_RATE_HZ, np.int16)
    turn = np.concatenate([PARTS[0][: 4 * SAMPLE_RATE_HZ], pause])
    late = LateDetector(engine)
    async with client_of(engine, places=[engine, late]) as client:
        await client.send([np.stack([turn, np.zeros_like(turn)], axis=1).tobytes()])
        await client.told(lambda: any(one.tentative.endswith("budget.") for one in client.partials))
        assert client.spoken == []
        late.may_go.set()
        await client.told(lambda: client.said_by(0)[-1:] == ["budget."])


async def test_nobody_says_anything(engine: LiveEngine) -> None:
    async with client_of(engine) as client:
        await client.send([bytes(4 * SAMPLE_RATE_HZ)])
        final = await client.end()
    assert (final.error, final.transcript.text, final.live_text) == (None, "", "")
    assert final.transcript.duration_s == 1


async def test_no_audio(engine: LiveEngine) -> None:
    async with client_of(engine) as client:
        final = await client.end()
    assert final.error is not None
    assert final.error.code == "invalid_audio"


async def test_a_piece_that_was_given_up_was_not_taken(
    oracle: OracleTranscriber, engine: LiveEngine
) -> None:
    """A client that is too fast sends the same piece again, cut in the middle of a frame."""
    oracle.hold = threading.Event()
    twice = np.tile(sample_pcm(), 2)
    talk = [twice[start : start + 100 * SAMPLE_RATE_HZ] for start in STARTS]
    pieces = list(batched(np.stack(talk, axis=1).tobytes(), 100_003))
    async with client_of(engine, patience_s=0.2) as client:
        with pytest.raises(TooFast):
            await client.send_numbered(pieces)
        taken = (client.session.received_seq or 0) + 1
        # Of each channel a minute waits, and what was on the way.
        assert 60 < 100_003 * taken / (4 * SAMPLE_RATE_HZ) < 75
        oracle.hold.set()
        while taken < len(pieces):
            with suppress(TooFast):
                await client.session.feed(pieces[taken], taken)
                taken += 1
        final = await client.end()
    assert final.error is None  # the engine has met no samples that it does not know
    assert final.transcript.duration_s == 100


def batched(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


async def test_a_piece_that_comes_twice(engine: LiveEngine) -> None:
    async with client_of(engine) as client:
        for seq, piece in enumerate(cut(BOTH, 4, 10)):
            await client.session.feed(piece, seq)
            await client.session.feed(piece, seq)
        final = await client.end()
    assert final.transcript.duration_s == 15


async def test_audio_that_is_too_long(engine: LiveEngine) -> None:
    async with client_of(engine, max_audio_s=10) as client:
        with pytest.raises(AudioTooLong):
            await client.send([*cut(BOTH, 5), *cut(BOTH, 5)])
        final = await client.end()
    assert final.transcript.duration_s == 10
    assert final.error is None


async def test_a_channel_that_fails_ends_all(oracle: OracleTranscriber, engine: LiveEngine) -> None:
    oracle.errors = [EngineError("out of memory")] * 2
    async with client_of(engine) as client:
        await client.send([BOTH[: len(BOTH) // 2]])
        await client.told(lambda: any(isinstance(event, Final) for event in client.events))
        final = client.session.final.result()
    assert str(final.error) == "out of memory"
    assert final.live_text == "".join(one.text for one in client.spoken)


async def test_a_listener_that_fails_ends_all(engine: LiveEngine) -> None:
    async def fail(event: Event) -> None:
        if isinstance(event, Partial):
            raise OSError

    async with client_of(engine) as client:
        client.session.told.listener = fail
        await client.send([BOTH])
        async with asyncio.timeout(60):
            final = await client.session.final
    assert final.error is not None
    assert final.error.code == "process_failed"


async def test_insights_while_they_speak(engine: LiveEngine) -> None:
    insights = FakeInsights()
    so_far = LiveInsights(insights.analyse, every_s=0.05)
    async with client_of(engine, analyse=insights.analyse, live_insights=so_far) as client:
        await client.send([BOTH])
        await client.told(lambda: any(hasattr(event, "insights") for event in client.events))
        await client.end()


class TestFinalPass:
    async def ended(
        self, local: LocalEngine, engine: LiveEngine, *, final_pass: bool = True, most_s: float = 60
    ) -> Final:
        """The end of a session that tells who speaks."""
        kept = KeptAudio(most_s, 2)
        options = TranscribeOptions(prompt="budget")
        ending = Ending(
            local,
            kept,
            final_pass=FinalPass(local, kept, options) if final_pass else None,
            speakers=SpeakerOptions(),
            finder=SpeakerFinder(NoCache(), timeout_s=60),
        )
        async with client_of(engine, ending=ending) as client:
            await client.send(cut(BOTH, 6))
            return await client.end()

    async def test_it_reads_each_channel(
        self, local: LocalEngine, engine: LiveEngine, oracle: OracleTranscriber
    ) -> None:
        transcript = (await self.ended(local, engine)).transcript
        assert oracle.seconds[-2:] == [15, 15]
        assert oracle.speech[-2:] == [None, None]
        assert [each.prompt for each in oracle.calls[-2:]] == ["budget", "budget"]
        for number in (0, 1):
            mine = [one for one in transcript.segments if one.channel == number]
            assert " ".join(one.text for one in mine).split() == words_of(number)
        assert {(one.channel, one.voice) for one in transcript.speakers} == {
            (0, voice_of("A")),
            (1, voice_of("A")),
        }
        assert (transcript.duration_s, transcript.warnings) == (15, ())

    async def test_without_it_the_speakers_have_voices_too(
        self, local: LocalEngine, engine: LiveEngine
    ) -> None:
        transcript = (await self.ended(local, engine, final_pass=False)).transcript
        assert [one.voice for one in transcript.speakers] == [voice_of("A")] * 2

    async def test_if_it_fails_the_speakers_are_the_channels(
        self, local: LocalEngine, engine: LiveEngine
    ) -> None:
        transcript = (await self.ended(local, engine, most_s=10)).transcript
        codes = [one.code for one in transcript.warnings]
        assert codes == ["final_pass_failed", "diarization_failed"]
        assert {one.channel for one in transcript.speakers} == {0, 1}


async def test_more_than_is_kept() -> None:
    kept = KeptAudio(10, 2)
    kept.append(np.zeros((2, 160_001), np.int16))
    with pytest.raises(AudioTooLong):
        kept.samples()
