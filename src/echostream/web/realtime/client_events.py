"""The events that a client sends."""

import binascii
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from echostream.errors import EventRefused
from echostream.given_json import parse
from echostream.web.realtime.refusals import invalid, missing, refusal_of

_LONGEST_ID = 512
_MOST_VALUES = 10_000
"""A configuration with all names and terms that it may have needs about 600."""


class _ClientEvent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    event_id: str | None = Field(None, max_length=_LONGEST_ID)


class SessionUpdate(_ClientEvent):
    type: Literal["session.update"]
    session: dict[str, Any]


class Append(_ClientEvent):
    type: Literal["input_audio_buffer.append"]
    audio: str

    def content(self) -> bytes:
        """Raises EventRefused for what is not base64."""
        try:
            return binascii.a2b_base64(self.audio, strict_mode=True)
        except ValueError as error:  # also for text that is not ASCII
            message = "Invalid 'audio'. Expected base64-encoded audio bytes."
            raise invalid("audio", message) from error


class Commit(_ClientEvent):
    type: Literal["input_audio_buffer.commit"]


class Clear(_ClientEvent):
    type: Literal["input_audio_buffer.clear"]


ClientEvent = SessionUpdate | Append | Commit | Clear

_EVENTS: TypeAdapter[ClientEvent] = TypeAdapter(Annotated[ClientEvent, Field(discriminator="type")])
_TYPES = (
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
)
_BETA = "transcription_session.update"


def parsed(message: str | bytes) -> dict[str, Any]:
    """Returns the JSON object in a frame. Raises EventRefused."""
    if isinstance(message, bytes):
        raise EventRefused("invalid_frame", "Events are JSON in text frames, not binary ones.")
    try:
        event = parse(message, most_values=_MOST_VALUES)
    except ValueError as error:  # also if it is nested too deeply, or has too many values
        raise EventRefused("invalid_json", "The message is not valid JSON.") from error
    if not isinstance(event, dict):
        raise EventRefused("invalid_json", "The message is not a JSON object.")
    return event


def event_of(given: dict[str, Any]) -> ClientEvent:
    """Returns the event in a JSON object. Raises EventRefused."""
    kind = given.get("type")
    if kind is None:
        raise missing("type")
    if kind == _BETA:
        message = (
            f"'{_BETA}' was part of the beta; send 'session.update' with type 'transcription'."
        )
        raise invalid("type", message)
    if kind not in _TYPES:
        named = ", ".join(f"'{each}'" for each in _TYPES)
        message = f"Invalid value for 'type'. Supported values are: {named}."
        raise invalid("type", message)
    try:
        return _EVENTS.validate_python(given)
    except ValidationError as error:
        raise refusal_of(error) from error


def id_of(given: dict[str, Any]) -> str | None:
    """The `event_id` of an event, valid or not, for the error about it."""
    found = given.get("event_id")
    return found[:_LONGEST_ID] if isinstance(found, str) else None
