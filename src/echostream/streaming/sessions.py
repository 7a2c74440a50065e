"""The live sessions of one process. They can be resumed, and end if nobody does so."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from echostream import traces
from echostream.domain import (
    AS_USUAL,
    Insights,
    InsightsOptions,
    SpeakerOptions,
    TranscribeOptions,
    Transcript,
)
from echostream.engine import Engine, LivePlace
from echostream.errors import AudioIdTaken, InvalidRequest, ResumeFailed, ServerBusy
from echostream.speakers import SpeakerFinder
from echostream.streaming.channels import ChannelSession
from echostream.streaming.client_session import ClientSession
from echostream.streaming.ending import Ending
from echostream.streaming.events import Event
from echostream.streaming.final_pass import FinalPass
from echostream.streaming.forms import IN_CONTAINERS, AudioForm
from echostream.streaming.insights import Analyse, LiveInsights
from echostream.streaming.kept import KeptAudio
from echostream.streaming.labels import SpeakerLabels
from echostream.streaming.live import Live
from echostream.streaming.session import LiveSession

log = structlog.get_logger(__name__)

_MOST_ENDED = 1000
_SHARE_OF_PASSES = 0.7
"""Of the time in which sessions must end. After that the live transcripts stand."""
_TAKEN = "this audioId is in use; use another one, or send its resumeSecret"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one process. If a client is disconnected for `resume_s` or sends nothing for
    `idle_s`, its session is finished; the result is kept for another `resume_s`. Audio of up to
    `kept_s` is kept until the end of its session. Insights into what was said so far are made once
    in `insights_every_s`."""

    sessions: int
    audio_s: float
    resume_s: float
    idle_s: float
    kept_s: float = 86_400.0
    insights_every_s: float = 30.0


class LiveSessions:
    """Create it in a running event loop, and call `aclose` there."""

    def __init__(
        self,
        engine: Engine,
        analyse: Callable[[Transcript, InsightsOptions], Awaitable[Insights | None]],
        finder: SpeakerFinder,
        limits: Limits,
        *,
        vocabulary: tuple[str, ...] = (),
        new_secret: Callable[[], str] = secrets.token_urlsafe,
        observe: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        """`vocabulary` are names and terms that are likely in any session. `new_secret` makes the
        secret that a client needs to resume; it may encode which process has the session. `observe`
        gets all events of all sessions."""
        self._engine = engine
        self._analyse = analyse
        self._finder = finder
        self._limits = limits
        self._vocabulary = vocabulary
        self._new_secret = new_secret
        self._observe = observe
        self._lives: dict[tuple[str, str], Live] = {}
        """By owner and audioId."""
        self._is_ending = False
        self._tidying = asyncio.create_task(self._tidy())

    @property
    def active(self) -> list[Live]:
        """Sessions that have not ended."""
        return [live for live in self._lives.values() if not live.session.final.done()]

    @property
    def speaking(self) -> list[Live]:
        """Sessions whose live text is not complete."""
        return [live for live in self._lives.values() if not live.session.said.done()]

    @property
    def places(self) -> int:
        """How many places in the engine they take."""
        return sum(live.places for live in self.speaking)

    async def start(
        self,
        audio_id: str | None,
        name: str | None,
        options: TranscribeOptions,
        *,
        owner: str = "",
        speakers: SpeakerOptions | None = None,
        insights: bool,
        insights_options: InsightsOptions = AS_USUAL,
        form: AudioForm = IN_CONTAINERS,
        final_pass: bool = False,
        live_insights: bool = False,
    ) -> Live:
        """Starts a session of the client `owner` without a listener; other clients may use the same
        `audio_id`. It tells who speaks unless `speakers` is None. With `final_pass` its audio is
        read once more at the end. `insights` are those of the end, `live_insights` those of what
        was said so far. Channels that are read apart take a place each, as if they were sessions.

        Raises ServerBusy, AudioIdTaken, or InvalidRequest if there are more channels than places,
        or known voices are of another model."""
        count = form.channels if form.apart else 1
        self._check_room(count)
        audio_id = audio_id or f"live-{secrets.token_hex(8)}"
        if (owner, audio_id) in self._lives:
            raise AudioIdTaken(_TAKEN)
        places: list[LivePlace] = []
        try:
            while len(places) < count:
                places.append(await self._engine.live(options))
            if speakers is not None:
                await self._finder.check(places[0], speakers)
            if (owner, audio_id) in self._lives:  # started by somebody else while we waited
                raise AudioIdTaken(_TAKEN)
            options = options.with_vocabulary(self._vocabulary)

            async def analyse(said: Transcript) -> Insights | None:
                return await self._analyse(said, insights_options)

            every_s = self._limits.insights_every_s
            kept = KeptAudio(self._limits.kept_s, count)
            step = traces.Lasting("live session", audio_id=audio_id, channels=count)
            with step.within():
                session = self._session(
                    places,
                    analyse if insights else None,
                    options,
                    form,
                    self._ending(kept, options, speakers, final_pass=final_pass),
                    SpeakerLabels(kept, self._engine.voice, speakers) if speakers else None,
                    LiveInsights(analyse, every_s=every_s) if live_insights else None,
                )
        except BaseException:
            _close(places)
            raise
        live = Live(owner, audio_id, name or audio_id, self._new_secret(), session, places=count)
        session.said.add_done_callback(lambda _: _close(places))
        session.final.add_done_callback(lambda _: self._note_end(live))
        session.final.add_done_callback(lambda _: step.end())
        self._lives[owner, audio_id] = live
        return live

    def resume(self, audio_id: str, secret: str, owner: str = "") -> Live:
        """Returns the session of `owner` if the caller has its secret. Raises ResumeFailed."""
        live = self._lives.get((owner, audio_id))
        if live is None or not secrets.compare_digest(live.secret.encode(), secret.encode()):
            raise ResumeFailed("there is no such session to resume, or the secret is wrong")
        return live

    async def finish_all(self, within_s: float) -> None:
        """Ends all sessions and waits for their results, because the process is about to stop. From
        then on there are no new ones."""
        self._is_ending = True
        finals = [live.session.final for live in self.active]
        for live in self.active:
            live.session.finish()
        if not finals:
            return
        await asyncio.wait(finals, timeout=_SHARE_OF_PASSES * within_s)
        for live in self.active:
            live.session.hurry()
        await asyncio.wait(finals, timeout=(1 - _SHARE_OF_PASSES) * within_s)

    async def aclose(self) -> None:
        self._tidying.cancel()
        await asyncio.gather(self._tidying, return_exceptions=True)
        await asyncio.gather(*(live.session.aclose() for live in self._lives.values()))
        self._lives.clear()

    def _check_room(self, places: int) -> None:
        """Raises ServerBusy, or InvalidRequest if there are never so many places."""
        if self._is_ending:
            raise ServerBusy("the server is stopping; connect again", retry_after_s=10)
        most = self._limits.sessions
        if places > most:
            raise InvalidRequest(
                f"each separate channel takes a place for live audio; this server has {most}"
            )
        if self.places + places > most:
            raise ServerBusy("every place for live audio is taken; try again soon", retry_after_s=5)

    def _session(
        self,
        places: list[LivePlace],
        analyse: Analyse | None,
        options: TranscribeOptions,
        form: AudioForm,
        ending: Ending | None,
        labels: SpeakerLabels | None,
        live_insights: LiveInsights | None,
    ) -> ClientSession:
        if form.apart:  # the channels tell who speaks
            return ChannelSession(
                places,
                analyse,
                options=options,
                max_audio_s=self._limits.audio_s,
                form=form,
                ending=ending,
                live_insights=live_insights,
                observe=self._observe,
            )
        return LiveSession(
            places[0],
            analyse,
            options=options,
            max_audio_s=self._limits.audio_s,
            form=form,
            ending=ending,
            labels=labels,
            live_insights=live_insights,
            observe=self._observe,
        )

    def _ending(
        self,
        kept: KeptAudio,
        options: TranscribeOptions,
        speakers: SpeakerOptions | None,
        *,
        final_pass: bool,
    ) -> Ending | None:
        """What keeps a session's audio and reads it; None if nobody needs the audio."""
        if speakers is None and not final_pass:
            return None
        return Ending(
            self._engine,
            kept,
            final_pass=FinalPass(self._engine, kept, options) if final_pass else None,
            speakers=speakers,
            finder=self._finder,
        )

    def _note_end(self, live: Live) -> None:
        live.ended_at = time.monotonic()

    async def _tidy(self) -> None:
        """Finishes sessions whose client has gone, and forgets results that nobody has fetched."""
        while True:
            await asyncio.sleep(min(1.0, self._limits.resume_s / 4, self._limits.idle_s / 4))
            now = time.monotonic()
            for live in self.active:
                try:
                    self._give_up(live, now)
                except Exception as error:  # others would keep their places for ever
                    log.error("live_session_not_given_up", audio_id=live.audio_id, exc_info=error)
            ended = [one for one in self._lives.values() if one.ended_at is not None]
            too_many = len(ended) - _MOST_ENDED
            for number, live in enumerate(sorted(ended, key=lambda one: one.ended_at or 0)):
                if number < too_many or now - (live.ended_at or now) > self._limits.resume_s:
                    del self._lives[live.owner, live.audio_id]

    def _give_up(self, live: Live, now: float) -> None:
        """Ends a session that is given up, whatever it still does."""
        if self._is_given_up(live, now):
            log.info("live_session_given_up", audio_id=live.audio_id)
            live.session.finish()
            if live.left_at is not None:
                live.session.hurry()  # nobody waits for the final pass

    def _is_given_up(self, live: Live, now: float) -> bool:
        if live.left_at is not None and now - live.left_at > self._limits.resume_s:
            return True
        return now - live.session.last_heard > self._limits.idle_s


def _close(places: Sequence[LivePlace]) -> None:
    for place in places:
        place.close()
