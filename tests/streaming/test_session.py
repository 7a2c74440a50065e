"""A live session from bytes to transcript: with an engine that knows the sample by heart where
exact words matter, and with the tiny Whisper where an engine's own mistakes do."""

import asyncio
import itertools
import threading
from collections.abc import Iterable

import numpy as np
import pytest

from conftest import sample_pcm, sample_text, word_error_rate
from echostream.domain import SAMPLE_RATE_HZ, Insights, TranscribeOptions
from echostream.engine import LiveEngine, Registry, Turns
from echostream.engine.whisper import WhisperTranscriber
from echostream.errors import (
    AudioTooLong,
    EchoStreamError,
    EngineError,
    InvalidRequest,
    LiveError,
    TooFast,
)
from echostream.streaming import Event, Final, Partial
from echostream.streaming.forms import IN_CONTAINERS, PCM
from echostream.streaming.session import LiveSession
from fakes import FakeInsights, no_diarizer
from processes import children
from streaming.conftest import CONTAINERS, cut, wav_files
from streaming.oracle import OracleTranscriber

SECOND = 2 * SAMPLE_RATE_HZ


class Client:
    """Feeds a session and keeps what it says."""

    def __init__(
        self,
        engine: LiveEngine,
        *,
        raw: bool = False,
        insights: FakeInsights | None = None,
        max_audio_s: float = 600,
        patience_s: float = 5.0,
        **options: str,
    ) -> None:
        self.events: list[Event] = []
        self._told_final = asyncio.Event()
        self.session = LiveSession(
            engine,
            insights.analyse if insights else None,
            options=TranscribeOptions(**options),  # type: ignore[arg-type]
            max_audio_s=max_audio_s,
            form=PCM if raw else IN_CONTAINERS,
            patience_s=patience_s,
        )
        self.session.told.listener = self.listen

    async def listen(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Final):
            self._told_final.set()

    async def send(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            await self.session.feed(piece)

    async def send_numbered(self, pieces: Iterable[bytes]) -> None:
        for seq, piece in enumerate(pieces):
            await self.session.feed(piece, seq)

    async def end(self) -> Final:
        self.session.finish()
        async with asyncio.timeout(60):
            final = await self.session.final
            await self._told_final.wait()
        return final

    @property
    def partials(self) -> list[Partial]:
        return [event for event in self.events if isinstance(event, Partial)]

    @property
    def appended(self) -> str:
        return "".join(partial.text for partial in self.partials)

    @property
    def faults(self) -> list[str]:
        return [event.code for event in self.events if isinstance(event, EchoStreamError)]


def pieces_of(pcm: bytes, step: int = 3200) -> list[bytes]:
    return [pcm[start : start + step] for start in range(0, len(pcm), step)]


class TestText:
    async def test_nothing_is_lost_and_nothing_said_twice(
        self, engine: LiveEngine, pcm: bytes
    ) -> None:
        client = Client(engine, raw=True)
        await client.send(pieces_of(pcm))
        final = await client.end()
        assert final.error is None
        assert final.transcript.text.split() == sample_text().split()
        assert client.appended == final.transcript.text
        assert [partial.seq for partial in client.session.told.partials] == list(
            range(1, len(client.session.told.partials) + 1)
        )

    async def test_text_comes_while_somebody_speaks(self, engine: LiveEngine, pcm: bytes) -> None:
        client = Client(engine, raw=True)
        for piece in pieces_of(pcm[: 4 * SECOND], SECOND):
            await client.send([piece])
            await client.session.caught_up()
        assert client.appended.startswith("Thank you for joining the meeting.")
        assert any(partial.tentative for partial in client.partials)
        await client.session.aclose()

    async def test_times_are_those_of_the_session(self, engine: LiveEngine, pcm: bytes) -> None:
        client = Client(engine, raw=True)
        await client.send(pieces_of(pcm))
        final = await client.end()
        words = final.transcript.words
        assert words[0].start_s == pytest.approx(0.3, abs=0.01)
        assert words[-1].end_s == pytest.approx(61.1, abs=0.3)
        assert all(one.start_s <= other.start_s for one, other in itertools.pairwise(words))
        assert [one.id for one in final.transcript.segments] == list(
            range(len(final.transcript.segments))
        )

    @pytest.mark.parametrize("loudness", [0, 200])
    async def test_silence_and_noise_say_nothing(
        self, whisper_engine: LiveEngine, loudness: int
    ) -> None:
        noise = np.random.default_rng(1).normal(0, 1, 20 * SAMPLE_RATE_HZ) * loudness
        client = Client(whisper_engine, raw=True)
        await client.send(pieces_of(noise.astype("<i2").tobytes()))
        final = await client.end()
        assert (final.error, final.transcript.text, client.partials) == (None, "", [])
        assert final.transcript.duration_s == 20


@pytest.fixture(scope="module")
def file_wer(whisper: WhisperTranscriber) -> float:
    """Word error rate of the same engine on the whole file."""
    found = whisper.transcribe(sample_pcm(), TranscribeOptions()).segments
    return word_error_rate(sample_text(), " ".join(segment.text for segment in found))


class TestForms:
    """The same words whatever the form, up to the engine's own noise."""

    @pytest.mark.parametrize("container", CONTAINERS)
    async def test_a_stream_cut_anywhere(
        self,
        whisper_engine: LiveEngine,
        recorded: dict[str, bytes],
        file_wer: float,
        container: str,
    ) -> None:
        await self.check(whisper_engine, cut(recorded[container], 1), file_wer)

    async def test_files_of_a_second(
        self, whisper_engine: LiveEngine, pcm: bytes, file_wer: float
    ) -> None:
        await self.check(whisper_engine, wav_files(pcm), file_wer)

    async def test_pcm(self, whisper_engine: LiveEngine, pcm: bytes, file_wer: float) -> None:
        await self.check(whisper_engine, cut(pcm, 3), file_wer, raw=True)

    async def test_as_it_is_spoken(
        self, whisper_engine: LiveEngine, pcm: bytes, file_wer: float
    ) -> None:
        """Each second is read before the next one comes, as on a machine that keeps up."""
        client = Client(whisper_engine, raw=True)
        for piece in pieces_of(pcm, SECOND):
            await client.send([piece])
            await client.session.caught_up()
        final = await client.end()
        assert word_error_rate(sample_text(), final.transcript.text) <= file_wer + 0.05
        assert client.appended == final.transcript.text
        assert len(client.partials) > 20

    async def check(
        self, engine: LiveEngine, pieces: list[bytes], file_wer: float, *, raw: bool = False
    ) -> None:
        client = Client(engine, raw=raw)
        await client.send(pieces)
        final = await client.end()
        assert client.faults == []
        assert client.appended == final.transcript.text
        assert word_error_rate(sample_text(), final.transcript.text) <= file_wer + 0.05


class TestLoad:
    async def test_a_slow_engine_reads_more_at_a_time_and_all_of_it(
        self, oracle: OracleTranscriber, engine: LiveEngine, pcm: bytes
    ) -> None:
        oracle.hold = threading.Event()
        client = Client(engine, raw=True)
        await client.send(pieces_of(pcm[: 50 * SECOND]))
        oracle.hold.set()
        await client.send(pieces_of(pcm[50 * SECOND :]))
        final = await client.end()
        assert final.transcript.text.split() == sample_text().split()
        # Each part of what had piled up was read once, none of it in several steps.
        assert len(oracle.calls) < 15
        assert max(oracle.seconds) <= 26

    async def test_audio_that_waits_is_bounded_and_a_hasty_client_told_so(
        self, oracle: OracleTranscriber, engine: LiveEngine, pcm: bytes
    ) -> None:
        oracle.hold = threading.Event()
        client = Client(engine, raw=True, patience_s=0.2)
        with pytest.raises(TooFast):
            await client.send_numbered(pieces_of(pcm * 3))
        fed = (client.session.received_seq or 0) + 1
        assert client.session.held_bytes < 62 * SECOND
        assert client.session.received_bytes == fed * 3200
        oracle.hold.set()
        await client.session.caught_up()
        await client.session.feed(pieces_of(pcm * 3)[fed], fed)  # the same piece is taken later
        assert client.session.received_seq == fed
        await client.session.aclose()

    async def test_sessions_take_turns(self, pcm: bytes, turns: Turns) -> None:
        oracle = OracleTranscriber()
        engine = LiveEngine(Registry.only(lambda: oracle), turns, no_diarizer())
        clients = [Client(engine, raw=True) for _ in range(4)]
        await asyncio.gather(*(client.send(pieces_of(pcm)) for client in clients))
        finals = await asyncio.gather(*(client.end() for client in clients))
        for final in finals:
            assert final.transcript.text.split() == sample_text().split()

    async def test_ten_minutes_leave_no_more_behind_than_one(
        self, engine: LiveEngine, pcm: bytes
    ) -> None:
        client = Client(engine, raw=True, max_audio_s=1000)
        held = []
        for _minute in range(10):
            await client.send(pieces_of(pcm, SECOND))
            await client.session.caught_up()
            held.append(client.session.held_bytes)
        assert max(held) < 6 * SECOND  # the last utterance, which has not ended yet
        assert held[-1] < 1.1 * held[0]
        await client.session.aclose()


class TestEnd:
    async def test_insights_come_with_the_transcript(self, engine: LiveEngine, pcm: bytes) -> None:
        client = Client(engine, raw=True, insights=FakeInsights())
        await client.send(pieces_of(pcm[: 5 * SECOND]))
        final = await client.end()
        assert isinstance(final.insights, Insights)
        assert final.insights.summary == final.transcript.text

    async def test_without_insights_there_is_still_a_transcript(
        self, engine: LiveEngine, pcm: bytes
    ) -> None:
        client = Client(engine, raw=True, insights=FakeInsights(error=RuntimeError("no quota")))
        await client.send(pieces_of(pcm[: 5 * SECOND]))
        final = await client.end()
        assert (final.error, final.insights) == (None, None)
        assert final.transcript.text

    async def test_no_audio_at_all(self, engine: LiveEngine) -> None:
        final = await Client(engine).end()
        assert final.error is not None
        assert final.error.code == "invalid_audio"

    async def test_nothing_but_noise_bytes(self, engine: LiveEngine) -> None:
        client = Client(engine)
        await client.send([b"\0not audio at all" * 1000])
        final = await client.end()
        assert client.faults == ["invalid_audio"]
        assert final.error is not None
        assert final.error.code == "invalid_audio"

    async def test_ending_twice_is_ending_once(self, engine: LiveEngine, pcm: bytes) -> None:
        client = Client(engine, raw=True)
        await client.send([pcm[:SECOND]])
        client.session.finish()
        final = await client.end()
        assert client.events.count(final) == 1
        with pytest.raises(LiveError, match="has ended"):
            await client.session.feed(b"more")

    async def test_closing_ends_the_decoder(self, engine: LiveEngine, recorded) -> None:
        before = children()
        client = Client(engine)
        await client.send([recorded["webm"][:9000]])
        assert children() != before
        await client.session.aclose()
        assert children() == before


class TestFaults:
    async def test_an_engine_that_fails_once_is_asked_again(
        self, oracle: OracleTranscriber, engine: LiveEngine, pcm: bytes
    ) -> None:
        oracle.errors = [EngineError("out of memory")]
        client = Client(engine, raw=True)
        await client.send(pieces_of(pcm))
        final = await client.end()
        assert final.error is None
        assert final.transcript.text.split() == sample_text().split()

    @pytest.mark.parametrize(
        "error", [EngineError("out of memory"), InvalidRequest("no such language")]
    )
    async def test_an_engine_that_goes_on_failing_ends_the_session(
        self,
        oracle: OracleTranscriber,
        engine: LiveEngine,
        pcm: bytes,
        error: EchoStreamError,
    ) -> None:
        oracle.errors = [error] * 9
        client = Client(engine, raw=True)
        await client.send([pcm[: 3 * SECOND]])
        async with asyncio.timeout(30):
            final = await client.session.final
        assert final.error is error
        with pytest.raises(LiveError):
            await client.session.feed(pcm)

    async def test_a_crash_ends_the_session_too(
        self, oracle: OracleTranscriber, engine: LiveEngine, pcm: bytes
    ) -> None:
        client = Client(engine, raw=True)
        noisy = np.frombuffer(pcm, "<i2") ^ 1  # which the oracle has never heard
        await client.send([noisy.tobytes()[: 3 * SECOND]])
        async with asyncio.timeout(30):
            final = await client.session.final
        assert final.error is not None
        assert final.error.code == "process_failed"
        assert "sample" not in str(final.error)

    async def test_what_was_confirmed_before_a_fault_is_kept(
        self, oracle: OracleTranscriber, engine: LiveEngine, pcm: bytes
    ) -> None:
        client = Client(engine, raw=True)
        await client.send(pieces_of(pcm[: 20 * SECOND]))
        await client.session.caught_up()
        oracle.errors = [EngineError("gone")] * 9
        await client.send(pieces_of(pcm[20 * SECOND : 30 * SECOND]))
        async with asyncio.timeout(30):
            final = await client.session.final
        assert final.error is not None
        assert final.transcript.text == client.appended
        assert final.transcript.text.startswith("Thank you for joining the meeting.")

    async def test_audio_that_is_too_long(self, engine: LiveEngine, pcm: bytes) -> None:
        client = Client(engine, raw=True, max_audio_s=10)
        with pytest.raises(AudioTooLong):
            await client.send(pieces_of(pcm))
        final = await client.end()
        assert final.transcript.duration_s == 10


async def test_the_engine_is_told_the_language_and_what_was_said(
    oracle: OracleTranscriber, engine: LiveEngine, pcm: bytes
) -> None:
    client = Client(engine, raw=True, prompt="EchoStream")
    await client.send(pieces_of(pcm, SECOND))
    await client.end()
    assert all((call.prompt or "").startswith("EchoStream") for call in oracle.calls)
    assert oracle.calls[0].expected_language is None
    assert oracle.calls[-1].expected_language == "en"
    assert oracle.calls[-1].language is None, "somebody may still speak another one"
    given = Client(engine, raw=True, language="en")
    await given.send(pieces_of(pcm[: 5 * SECOND], SECOND))
    await given.end()
    assert oracle.calls[-1].language == "en"
