"""One client's transcription session: its events become audio and items, and these its answers.

It knows no WebSocket: messages come in by `take`, and events go out by `send`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from echostream.domain import TranscribeOptions
from echostream.errors import AudioTooLong, EchoStreamError, InvalidRequest
from echostream.streaming import (
    Committed,
    Completed,
    Delta,
    ItemEvent,
    Items,
    SpeechStarted,
    SpeechStopped,
)
from echostream.web.openai_shapes import error_details, logprobs
from echostream.web.realtime import server_events as told
from echostream.web.realtime.client_events import (
    Append,
    Clear,
    ClientEvent,
    Commit,
    SessionUpdate,
    event_of,
    id_of,
    parsed,
)
from echostream.web.realtime.configuration import Configuration

log = structlog.get_logger(__name__)

_STEP_BYTES = 48_000
"""How much of a long message is handled at once: a second of PCM16, during which other clients
wait."""
_MODEL = "session.audio.input.transcription.model"

Send = Callable[[told.ServerEvent], Awaitable[None]]
Check = Callable[[TranscribeOptions], None]


class Conversation:
    """Call `start` first. One task at a time may call it."""

    def __init__(
        self,
        session_id: str,
        configuration: Configuration,
        items: Items,
        *,
        send: Send,
        check: Check,
        count_error: Callable[[str], None],
    ) -> None:
        """`check` raises InvalidRequest for what the engine cannot do; `count_error` gets the codes
        of all errors."""
        self._id = session_id
        self._configuration = configuration
        self._items = items
        items.tell = self._tell_item
        self._send = send
        self._check = check
        self._count_error = count_error
        self._decoder = configuration.decoder()
        self.is_full = False
        """Whether the session has as much audio as it may have."""

    async def start(self) -> None:
        configuration = self._configuration
        self._items.configure(configuration.options, configuration.turn_detection)
        await self._send(told.SessionCreated(session=self._shape))

    async def take(self, message: str | bytes) -> bool:
        """Handles a message of the client; returns whether it was audio."""
        event_id = None
        try:
            given = parsed(message)
            event_id = id_of(given)
            event = event_of(given)
            await self._handle(event)
            return isinstance(event, Append)
        except EchoStreamError as error:
            self.is_full = isinstance(error, AudioTooLong)
            await self.tell_error(error, event_id)
        except Exception as error:
            log.error("realtime_event_crashed", exc_info=error)
            await self.tell_error(EchoStreamError("the server could not do this"), event_id)
        return False

    async def tell_error(self, error: EchoStreamError, event_id: str | None = None) -> None:
        self._count_error(error.code)
        param = error.param if isinstance(error, InvalidRequest) else None
        details = error_details(error.code, error.status, str(error), param)
        await self._send(told.Error(error=told.ErrorDetails(**details, event_id=event_id)))

    async def _tell_item(self, event: ItemEvent) -> None:
        """Sends what happens to an item."""
        match event:
            case SpeechStarted(item, start_ms):
                await self._send(told.SpeechStarted(item_id=item, audio_start_ms=start_ms))
            case SpeechStopped(item, end_ms):
                await self._send(told.SpeechStopped(item_id=item, audio_end_ms=end_ms))
            case Committed(item, before):
                await self._tell_committed(item, before)
            case Delta(item, text):
                await self._send(told.Delta(item_id=item, delta=text))
            case Completed():
                await self._send(self._outcome(event))

    async def _handle(self, event: ClientEvent) -> None:
        match event:
            case Append():
                content = event.content()
                for start in range(0, len(content), _STEP_BYTES):
                    piece = content[start : start + _STEP_BYTES]
                    await self._items.hear(self._decoder.feed(piece))
            case Commit():
                await self._items.commit()
            case Clear():
                await self._items.clear()
                await self._send(told.Cleared())
            case SessionUpdate(session=given):
                updated = self._configuration.updated(given)
                self._apply(updated)
                await self._send(told.SessionUpdated(session=self._shape))

    def _apply(self, wanted: Configuration) -> None:
        try:
            self._check(wanted.options)
        except InvalidRequest as error:
            error.param = error.param or _MODEL
            raise
        if wanted.audio.input.format != self._configuration.audio.input.format:
            self._decoder = wanted.decoder()
        self._configuration = wanted
        self._items.configure(wanted.options, wanted.turn_detection)

    @property
    def _shape(self) -> dict[str, Any]:
        name = {"id": self._id, "object": "realtime.transcription_session"}
        return name | self._configuration.shape

    async def _tell_committed(self, item_id: str, before: str | None) -> None:
        item = told.Item(id=item_id)
        await self._send(told.Committed(item_id=item_id, previous_item_id=before))
        await self._send(told.ItemAdded(item=item, previous_item_id=before))
        await self._send(told.ItemDone(item=item, previous_item_id=before))

    def _outcome(self, done: Completed) -> told.ServerEvent:
        if (error := done.final.error) is not None:
            self._count_error(error.code)
            details = error_details(error.code, error.status, str(error))
            return told.Failed(item_id=done.item_id, error=told.ItemError(**details))
        transcript = done.final.transcript
        wants_logprobs = self._configuration.wants_logprobs
        return told.Completed(
            item_id=done.item_id,
            transcript=done.text,
            languages=[{"code": code} for code in transcript.languages],
            logprobs=logprobs(transcript.segments) if wants_logprobs else None,
            usage=told.DurationUsage(seconds=round(done.audio_s, 3)),
        )
