"""Sessions of one process: their number, and clients that go and come back."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from conftest import sample_text
from echostream.cache import NoCache
from echostream.domain import (
    SAMPLE_RATE_HZ,
    Insights,
    InsightsOptions,
    TranscribeOptions,
    Transcript,
)
from echostream.engine import LiveEngine
from echostream.errors import (
    AudioIdTaken,
    EchoStreamError,
    InvalidRequest,
    ResumeFailed,
    ServerBusy,
)
from echostream.speakers import SpeakerFinder
from echostream.streaming import Event, Final, Limits, Live, LiveSessions, Partial
from echostream.streaming.client_session import ClientSession
from echostream.streaming.forms import PCM, AudioForm

SECOND = 2 * SAMPLE_RATE_HZ
LIMITS = Limits(sessions=3, audio_s=600, resume_s=60, idle_s=60)


async def no_insights(_said: Transcript, _options: InsightsOptions) -> Insights | None:
    return None


class Connection:
    """One connection of a client: what it heard before it broke."""

    def __init__(self) -> None:
        self.partials: list[Partial] = []
        self.final = asyncio.Event()
        self.finals: list[Final] = []

    async def listen(self, event: Event) -> None:
        await asyncio.sleep(0)  # as a network does
        if isinstance(event, Partial):
            self.partials.append(event)
        elif isinstance(event, Final):
            self.finals.append(event)
            self.final.set()

    @property
    def texts(self) -> list[str]:
        return [partial.text for partial in self.partials if partial.text]


class Place:
    """One of the engine's, which tells when it is given back."""

    def __init__(self, engine: LiveEngine) -> None:
        self.used, self.read, self.detect = engine.used, engine.read, engine.detect
        self.is_free = False

    def close(self) -> None:
        self.is_free = True


class _Engine:
    """Has a live place for everybody. The queue of files never moves, so that a final pass only
    ends if it is given up."""

    def __init__(self, engine: LiveEngine) -> None:
        self._engine = engine
        self.places: list[Place] = []
        self.pass_waits = asyncio.Event()

    async def live(self, _options: TranscribeOptions) -> Place:
        self.places.append(Place(self._engine))
        return self.places[-1]

    @asynccontextmanager
    async def take(self, *, patient: bool = False) -> AsyncIterator[None]:
        assert not patient
        self.pass_waits.set()
        await asyncio.Event().wait()
        yield


FINDER = SpeakerFinder(NoCache(), timeout_s=60)
Make = Callable[..., LiveSessions]


@pytest.fixture
def busy(engine: LiveEngine) -> _Engine:
    return _Engine(engine)


@pytest.fixture
async def make(busy: _Engine) -> AsyncIterator[Make]:
    made: list[LiveSessions] = []

    def make_sessions(limits: Limits) -> LiveSessions:
        made.append(LiveSessions(busy, no_insights, FINDER, limits))
        return made[-1]

    yield make_sessions
    await asyncio.gather(*(sessions.aclose() for sessions in made))


@pytest.fixture
async def sessions(make: Make) -> LiveSessions:
    return make(LIMITS)


async def start(
    sessions: LiveSessions,
    audio_id: str | None = None,
    *,
    final_pass: bool = False,
    form: AudioForm = PCM,
) -> Live:
    return await sessions.start(
        audio_id,
        None,
        TranscribeOptions(),
        insights=True,
        form=form,
        final_pass=final_pass,
    )


def pieces(pcm: bytes) -> Iterator[tuple[int, bytes]]:
    """Numbered pieces of odd sizes."""
    for number, begin in enumerate(range(0, len(pcm), 4801)):
        yield number, pcm[begin : begin + 4801]


async def ended(connection: Connection) -> Final:
    async with asyncio.timeout(30):
        await connection.final.wait()
    return connection.finals[0]


class TestStart:
    async def test_no_more_than_there_are_places(self, sessions: LiveSessions, pcm: bytes) -> None:
        lives = [await start(sessions) for _ in range(3)]
        with pytest.raises(ServerBusy):
            await start(sessions)
        connection = Connection()
        await lives[0].attach(connection.listen)
        lives[0].session.finish()
        await ended(connection)
        assert len(sessions.active) == 2
        await start(sessions)

    async def test_separate_channels_take_a_place_each(
        self, sessions: LiveSessions, busy: _Engine
    ) -> None:
        both = AudioForm("pcm", channels=2, apart=True)
        live = await start(sessions, form=both)
        await start(sessions)
        assert (len(sessions.speaking), sessions.places) == (2, 3)
        with pytest.raises(ServerBusy):
            await start(sessions)
        live.session.finish()
        await live.session.said
        await asyncio.sleep(0)
        assert [place.is_free for place in busy.places] == [True, True, False]
        assert sessions.places == 1
        await start(sessions, form=both)
        with pytest.raises(InvalidRequest):  # there are never so many
            await start(sessions, form=AudioForm("pcm", channels=4, apart=True))

    async def test_ids_are_given_or_made(self, sessions: LiveSessions) -> None:
        assert (await start(sessions, "standup")).audio_id == "standup"
        made, other = await start(sessions), await start(sessions)
        assert made.audio_id != other.audio_id

    async def test_an_id_is_one_session_s(self, sessions: LiveSessions) -> None:
        await start(sessions, "standup")
        with pytest.raises(AudioIdTaken):
            await start(sessions, "standup")

    async def test_secrets_cannot_be_guessed(self, sessions: LiveSessions) -> None:
        made = {(await start(sessions)).secret for _ in range(3)}
        assert len(made) == 3
        assert all(len(secret) > 30 for secret in made)


class TestResume:
    async def test_needs_the_secret(self, sessions: LiveSessions) -> None:
        live = await start(sessions, "standup")
        assert sessions.resume("standup", live.secret) is live
        for audio_id, secret in (("standup", "guess"), ("standup", ""), ("other", live.secret)):
            with pytest.raises(ResumeFailed):
                sessions.resume(audio_id, secret)

    @pytest.mark.parametrize("seed", range(20))
    async def test_at_any_moment_nothing_is_lost_or_said_twice(
        self, sessions: LiveSessions, pcm: bytes, seed: int
    ) -> None:
        """A client that breaks off at three random pieces, and says what it has."""
        chance = random.Random(seed)
        live, connection, heard = await start(sessions), Connection(), []
        await live.attach(connection.listen)
        todo = list(pieces(pcm))
        breaks = set(chance.sample(range(len(todo)), 3))
        for number, piece in todo:
            await live.session.feed(piece, number)
            if chance.random() < 0.3:
                await live.session.caught_up()
            if number in breaks:
                live.detach()
                heard += connection.partials
                if chance.random() < 0.5:  # the server hears on meanwhile
                    await live.session.caught_up()
                connection = Connection()
                last_seq = max((one.seq for one in heard if one.text), default=0)
                live = sessions.resume(live.audio_id, live.secret)
                await live.attach(connection.listen, last_seq)
                # What was under way when the connection broke may come twice; it is taken once.
                await live.session.feed(piece, number)
        live.session.finish()
        final = await ended(connection)
        heard += connection.partials
        assert final.transcript.text.split() == sample_text().split()
        assert "".join(one.text for one in heard) == final.transcript.text
        assert live.session.received_bytes == len(pcm)

    async def test_a_client_that_does_not_count_gets_what_was_not_sent(
        self, sessions: LiveSessions, pcm: bytes
    ) -> None:
        live, first, second = await start(sessions), Connection(), Connection()
        await live.attach(first.listen)
        await live.session.feed(pcm[: 12 * SECOND])
        await live.session.caught_up()
        live.detach()
        for _, piece in pieces(pcm[12 * SECOND :]):
            await live.session.feed(piece)
        live.session.finish()
        await live.session.final
        await live.attach(second.listen)
        final = await ended(second)
        assert first.texts
        assert second.texts
        assert "".join(first.texts + second.texts) == final.transcript.text

    async def test_the_end_waits_for_a_client(self, sessions: LiveSessions, pcm: bytes) -> None:
        live = await start(sessions)
        live.detach()
        await live.session.feed(pcm[: 5 * SECOND])
        live.session.finish()
        await live.session.final
        for _ in range(2):  # also for one that breaks off again
            connection = Connection()
            await sessions.resume(live.audio_id, live.secret).attach(connection.listen, 0)
            assert (await ended(connection)).transcript.text == "".join(connection.texts)

    async def test_the_end_is_told_once_to_who_comes_while_it_ends(
        self, sessions: LiveSessions
    ) -> None:
        for moments in range(40):
            live, connection = await start(sessions), Connection()
            live.session.finish()
            for _ in range(moments):
                await asyncio.sleep(0)
            await live.attach(connection.listen)
            await ended(connection)
            for _ in range(5):
                await asyncio.sleep(0)
            assert len(connection.finals) == 1

    async def test_the_new_connection_takes_over_from_the_old(
        self, sessions: LiveSessions, pcm: bytes
    ) -> None:
        live, old, new = await start(sessions), Connection(), Connection()
        await live.attach(old.listen)
        await live.attach(new.listen)
        await live.session.feed(pcm[: 5 * SECOND])
        live.session.finish()
        await ended(new)
        assert new.texts
        assert not old.partials
        assert not old.finals


class TestGivenUp:
    async def test_a_client_that_never_returns(self, make: Make, pcm: bytes) -> None:
        sessions = make(Limits(sessions=1, audio_s=600, resume_s=0.2, idle_s=60))
        live = await start(sessions)
        await live.session.feed(pcm[: 5 * SECOND])
        live.detach()
        async with asyncio.timeout(30):
            final = await live.session.final
        assert final.transcript.text.startswith("Thank you")
        await start(sessions)  # its place is free
        async with asyncio.timeout(30):
            while not forgotten(sessions, live):  # noqa: ASYNC110 - forgetting is no event
                await asyncio.sleep(0.02)

    async def test_one_that_cannot_be_ended_takes_no_places_of_others(
        self, make: Make, pcm: bytes
    ) -> None:
        sessions = make(Limits(sessions=2, audio_s=600, resume_s=0.2, idle_s=60))
        broken, live = await start(sessions), await start(sessions)
        whole = broken.session
        broken.session = cast(ClientSession, _CannotEnd(whole))
        broken.detach()
        live.detach()
        async with asyncio.timeout(30):
            await live.session.final
        broken.session = whole

    async def test_a_client_that_says_nothing(self, make: Make) -> None:
        sessions = make(Limits(sessions=1, audio_s=600, resume_s=60, idle_s=0.2))
        live, connection = await start(sessions), Connection()
        await live.attach(connection.listen)
        assert (await ended(connection)).error is not None

    async def test_one_that_comes_back_in_time(self, make: Make, pcm: bytes) -> None:
        sessions = make(Limits(sessions=1, audio_s=600, resume_s=0.5, idle_s=60))
        live = await start(sessions)
        live.detach()
        connection = Connection()
        await live.attach(connection.listen)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.shield(live.session.final)


async def test_all_are_ended_when_the_process_stops(sessions: LiveSessions, pcm: bytes) -> None:
    lives = [await start(sessions) for _ in range(3)]
    connections = [Connection() for _ in lives]
    for live, connection in zip(lives, connections, strict=True):
        await live.attach(connection.listen)
        await live.session.feed(pcm[: 5 * SECOND])
    await sessions.finish_all(30)
    for connection in connections:
        assert (await ended(connection)).transcript.text.startswith("Thank you")
    assert sessions.active == []
    with pytest.raises(ServerBusy):
        await start(sessions)


class TestFinalPass:
    async def test_a_process_that_stops_does_not_wait_for_it(
        self, sessions: LiveSessions, pcm: bytes
    ) -> None:
        live, connection = await start(sessions, final_pass=True), Connection()
        await live.attach(connection.listen)
        await live.session.feed(pcm[: 5 * SECOND])
        await sessions.finish_all(3)
        [final] = connection.finals
        assert final.transcript.text.startswith("Thank you")
        assert [each.code for each in final.transcript.warnings] == ["final_pass_failed"]

    async def test_its_session_has_no_place(self, make: Make, busy: _Engine, pcm: bytes) -> None:
        sessions = make(Limits(sessions=1, audio_s=600, resume_s=60, idle_s=60))
        live = await start(sessions, final_pass=True)
        await live.session.feed(pcm[: 5 * SECOND])
        assert len(sessions.speaking) == 1
        with pytest.raises(ServerBusy):
            await start(sessions)
        live.session.finish()
        async with asyncio.timeout(30):
            await busy.pass_waits.wait()
        assert (await live.session.said).text.startswith("Thank you")
        assert [place.is_free for place in busy.places] == [True]
        assert (len(sessions.speaking), sessions.active) == (0, [live])
        other = await start(sessions)
        assert sessions.speaking == [other]

    async def test_a_client_that_never_returns_needs_none(self, make: Make, pcm: bytes) -> None:
        sessions = make(Limits(sessions=1, audio_s=600, resume_s=0.2, idle_s=60))
        live = await start(sessions, final_pass=True)
        await live.session.feed(pcm[: 5 * SECOND])
        live.detach()
        async with asyncio.timeout(30):
            final = await live.session.final
        assert final.transcript.text.startswith("Thank you")

    async def test_one_that_leaves_meanwhile_gets_the_live_text(
        self, make: Make, busy: _Engine, pcm: bytes
    ) -> None:
        sessions = make(Limits(sessions=1, audio_s=600, resume_s=0.2, idle_s=60))
        live = await start(sessions, final_pass=True)
        await live.session.feed(pcm[: 5 * SECOND])
        live.session.finish()
        await busy.pass_waits.wait()
        live.detach()
        async with asyncio.timeout(30):
            final = await live.session.final
        assert final.transcript.text == final.live_text

    async def test_closing_ends_it(self, sessions: LiveSessions, busy: _Engine, pcm: bytes) -> None:
        live = await start(sessions, final_pass=True)
        await live.session.feed(pcm[: 5 * SECOND])
        live.session.finish()
        await busy.pass_waits.wait()
        await sessions.aclose()
        assert live.session.final.cancelled()

    async def test_closing_before_the_end_frees_the_place(
        self, sessions: LiveSessions, busy: _Engine
    ) -> None:
        await start(sessions, final_pass=True)
        await sessions.aclose()
        await asyncio.sleep(0)
        assert [place.is_free for place in busy.places] == [True]


class _CannotEnd:
    def __init__(self, session: ClientSession) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def finish(self) -> None:
        raise RuntimeError("nobody has thought of this")


def forgotten(sessions: LiveSessions, live: Live) -> bool:
    try:
        sessions.resume(live.audio_id, live.secret)
    except EchoStreamError:
        return True
    return False
