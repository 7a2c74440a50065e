"""Live audio over Socket.IO: `start_audio`, `audio_chunk` and `end_audio` of each client."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, field_validator

from echostream.errors import AudioTooLong, EchoStreamError, InvalidRequest, LiveError
from echostream.options import LiveOptions, validated
from echostream.schema import WarningShape
from echostream.streaming import AudioForm, Event, Live
from echostream.web.deps import Services
from echostream.web.live_shapes import shape_of
from echostream.web.peers import Peers
from echostream.web.relay import Relay
from echostream.web.stopping import unless_stopping

log = structlog.get_logger(__name__)

Answer = dict[str, Any]
Handler = Callable[[str, dict[str, Any]], Coroutine[Any, Any, Answer]]


class StartAudio(LiveOptions):
    """The data of `start_audio`. `channelCount` is for audio that does not say it itself.
    `resumeSecret` resumes the session of `audioId`; `lastSeq` is the `seq` of the last
    `partial_transcript` the client has."""

    audio_id: str | None = Field(None, min_length=1, max_length=200)
    audio_name: str | None = Field(None, max_length=500)
    ext: str | None = Field(None, max_length=20)
    sample_rate: int | None = None
    channel_count: int | None = None
    resume_secret: str | None = Field(None, max_length=200)
    last_seq: int | None = Field(None, ge=0)

    @field_validator("channels", mode="before")
    @classmethod
    def _channels_are_no_number(cls, given: object) -> object:
        if isinstance(given, int):
            raise ValueError("must be 'mix' or 'separate'; channelCount says how many there are")
        return given

    @property
    def form(self) -> AudioForm:
        """Raises InvalidRequest if there is no such form."""
        return AudioForm.named(
            self.ext,
            rate_hz=self.sample_rate,
            channels=self.channel_count,
            apart=self.channels == "separate",
        )


class AudioChunk(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    buffer: bytes
    seq: int | None = Field(None, ge=0)


class LiveHandlers:
    """Each client has one session at a time. Every event is acknowledged with `{ok: true, …}` or
    `{ok: false, error, message}`. Errors are also sent as `audio_error`, as not every client asks
    for acknowledgements."""

    def __init__(self, services: Services) -> None:
        self._server = services.sockets
        self._sessions = services.live
        self._peers = services.peers
        self._insights = services.pipeline.insights
        self._abort = services.abort
        self._diarizes_by_default = services.pipeline.diarizes_by_default
        self._lives: dict[str, Live] = {}
        self._relays: dict[str, Relay] = {}
        for name, handler in (
            ("start_audio", self._start),
            ("audio_chunk", self._chunk),
            ("end_audio", self._end),
        ):
            self._server.on(name, self._answering(name, handler))

    async def left(self, sid: str) -> None:
        """The client has left; its session waits for it."""
        await self._end_relay(sid)
        if live := self._lives.pop(sid, None):
            live.detach()

    async def _end_relay(self, sid: str) -> None:
        if relay := self._relays.pop(sid, None):
            await relay.aclose()

    def _answering(self, name: str, handler: Handler) -> Callable[..., Awaitable[Answer]]:
        async def answer(sid: str, *given: Any) -> Answer:
            try:
                data = _fields(given)
                if name != "start_audio" and (relay := self._relays.get(sid)):
                    return await relay.call(name, data)
                done = await unless_stopping(self._abort, handler(sid, data))
                return {"ok": True, **done}
            except EchoStreamError as error:
                fault = error
            except Exception as error:
                log.error("socket_event_crashed", exc_info=error)
                fault = EchoStreamError("the server could not do this")
            live = self._lives.get(sid)
            await self._tell(sid, live.audio_id if live else _named(given), fault)
            return {"ok": False, "error": fault.code, "message": str(fault)}

        return answer

    async def _start(self, sid: str, data: dict[str, Any]) -> Answer:
        wanted = validated(StartAudio, data)
        await self._end_relay(sid)
        if wanted.resume_secret is not None:
            if self._peers and (owner := self._peers.other_owner(wanted.resume_secret)) is not None:
                return await self._resume_elsewhere(sid, self._peers, owner, data)
            return await self._resume(sid, wanted)
        self._insights.named(wanted.insights_model)  # before somebody speaks for hours
        live = await self._sessions.start(
            wanted.audio_id,
            wanted.audio_name,
            wanted.transcribe_options,
            owner=self._server.caller(sid).name,
            speakers=wanted.speaker_options(by_default=self._diarizes_by_default),
            insights=wanted.insights,
            insights_options=wanted.insights_options,
            form=wanted.form,
            final_pass=wanted.final_pass,
            live_insights=wanted.live_insights,
        )
        self._hold(sid, live)
        return await self._tell_started(sid, live, wanted, resumed=False)

    async def _resume(self, sid: str, wanted: StartAudio) -> Answer:
        owner = self._server.caller(sid).name
        live = self._sessions.resume(wanted.audio_id or "", wanted.resume_secret or "", owner)
        for other in [other for other, its in self._lives.items() if its is live]:
            del self._lives[other]  # an old connection, not yet known to be broken
        async with live.taking_turns:
            self._hold(sid, live)
        return await self._tell_started(sid, live, wanted, resumed=True)

    async def _resume_elsewhere(self, sid: str, peers: Peers, owner: int, data: Answer) -> Answer:
        relay = Relay(lambda event, message: self._emit(event, message, sid))
        token = self._server.caller(sid).token
        await relay.open(peers, owner, token.get_secret_value() if token else None)
        try:
            answer = await relay.call("start_audio", data)
            if answer["ok"] and self._server.manager.is_connected(sid, "/"):
                self._hold(sid, None)
                self._relays[sid] = relay
        finally:
            if self._relays.get(sid) is not relay:  # refused, or a polling client has left
                await relay.aclose()
        return answer

    def _hold(self, sid: str, live: Live | None) -> None:
        """Gives the client this session. Its previous session ends, and still sends its
        `audio_final`."""
        before = self._lives.pop(sid, None)
        if before is not None and before is not live:
            before.session.finish()
        if live is not None:
            self._lives[sid] = live

    async def _tell_started(
        self, sid: str, live: Live, wanted: StartAudio, *, resumed: bool
    ) -> Answer:
        started: Answer = {
            "audioId": live.audio_id,
            "audioName": live.name,
            "resumeSecret": live.secret,
            "resumed": resumed,
            "receivedBytes": live.session.received_bytes,
            "receivedSeq": live.session.received_seq,
        }
        if cautions := wanted.cautions:
            started["warnings"] = [WarningShape.of(each).model_dump() for each in cautions]
        await self._emit("audio_started", started, sid)
        last_seq = wanted.last_seq if resumed else None
        await live.attach(lambda event: self._tell(sid, live.audio_id, event), last_seq)
        if not self._server.manager.is_connected(sid, "/"):  # a polling client may have left by now
            await self.left(sid)
        return started

    async def _chunk(self, sid: str, data: dict[str, Any]) -> Answer:
        live = self._live(sid)
        piece = validated(AudioChunk, data)
        try:
            async with live.taking_turns:
                if self._lives.get(sid) is not live:
                    raise LiveError("the session was resumed from another connection")
                await live.session.feed(piece.buffer, piece.seq)
        except AudioTooLong:
            live.session.finish()
            raise
        return {
            "receivedBytes": live.session.received_bytes,
            "receivedSeq": live.session.received_seq,
        }

    async def _end(self, sid: str, _data: dict[str, Any]) -> Answer:
        live = self._live(sid)
        live.session.finish()
        return {"audioId": live.audio_id}

    def _live(self, sid: str) -> Live:
        if live := self._lives.get(sid):
            return live
        raise LiveError("there is no live audio on this connection; send start_audio first")

    async def _tell(self, sid: str, audio_id: str | None, event: Event) -> None:
        name, data = shape_of(audio_id, event)
        await self._emit(name, data, sid)

    async def _emit(self, event: str, data: Answer, sid: str) -> None:
        # The client is connected to this process, so other processes need not know.
        await self._server.emit(event, data, to=sid, ignore_queue=True)


def _fields(given: tuple[Any, ...]) -> dict[str, Any]:
    """Returns the data of an event: an object, or nothing."""
    data = given[0] if given and given[0] is not None else {}
    if not isinstance(data, dict):
        raise InvalidRequest("an object was expected")
    # As in forms, null means the same as an absent value.
    return {name: value for name, value in data.items() if value is not None}


def _named(given: tuple[Any, ...]) -> str | None:
    """The audioId in a refused event, for a client that has several."""
    data = given[0] if given else None
    named = data.get("audioId") if isinstance(data, dict) else None
    return named if isinstance(named, str) else None
