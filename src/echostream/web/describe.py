"""What the OpenAPI page says of endpoints whose bodies are read as streams, not by FastAPI."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from echostream.errors import (
    AudioTooLarge,
    AudioTooLong,
    EchoStreamError,
    EngineRestarted,
    InvalidAudio,
    InvalidRequest,
    JobNotFound,
    MissingAudio,
    MissingAudioOrTranscript,
    ModelNotFound,
    ModelUnavailable,
    QueueUnavailable,
    ServerBusy,
    StorageFull,
    StorageUnavailable,
    Unauthorized,
    UrlFetchFailed,
    UrlNotAllowed,
)
from echostream.schema import TranscriptionShape
from echostream.web.fields import LANGUAGE_PATTERN


class ErrorShape(BaseModel):
    """Every error of the REST API."""

    error: str = Field(description="A code to match on.")
    message: str = Field(description="A sentence for people.")
    requestId: str = Field(description="Also in the server's logs.")  # noqa: N815


class QueuedShape(BaseModel):
    """The answer to a request with `useQueue`."""

    success: Literal[True] = True
    jobId: str  # noqa: N815
    message: str


class OpenAIErrorFields(BaseModel):
    message: str
    type: str
    param: str | None
    code: str


class OpenAIErrorShape(BaseModel):
    """Every error under `/v1`."""

    error: OpenAIErrorFields


_AUDIO_ERRORS = (
    InvalidAudio,
    AudioTooLarge,
    AudioTooLong,
    ServerBusy,
    ModelUnavailable,
    EngineRestarted,
)

_QUEUE: dict[str, Any] = {
    "useQueue": {
        "type": "boolean",
        "default": False,
        "description": "Answer at once with a job id and work in the background.",
    },
    "callbackUrl": {"type": "string", "description": "Told when a queued job ends."},
}
_QUEUE_HEADERS = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "schema": {"type": "string"},
            "description": "Queued requests with the same key give the same job, for a day.",
        }
    ]
}
_HOTWORDS: dict[str, Any] = {
    "type": ["string", "array"],
    "items": {"type": "string", "minLength": 1, "maxLength": 200},
    "maxItems": 500,
    "description": "Names and terms that are likely to be said, separated by commas or as a list.",
    "examples": ["Kubernetes, Anouk Desrosiers"],
}
_HEARD: dict[str, Any] = {
    "hotwords": _HOTWORDS,
    "audioTrack": {
        "type": "integer",
        "minimum": 0,
        "maximum": 99,
        "description": "The one audio track to listen to, from 0; all are mixed when left out.",
    },
    "channels": {
        "type": "string",
        "enum": ["mix", "separate"],
        "default": "mix",
        "description": "`separate` transcribes each channel apart, as a speaker of its own.",
    },
}
_OPTIONS: dict[str, Any] = {
    **_QUEUE,
    "language": {
        "type": "string",
        "pattern": f"^{LANGUAGE_PATTERN}$",
        "description": "ISO 639-1 code; detected when left out.",
        "examples": ["en"],
    },
    "task": {"type": "string", "enum": ["transcribe", "translate"], "default": "transcribe"},
    "prompt": {
        "type": "string",
        "maxLength": 2000,
        "description": "Names and terms that are likely to be said.",
    },
    **_HEARD,
    "wordTimestamps": {"type": "boolean", "default": False},
    "insights": {"type": "boolean", "default": True},
}
_FILE = {
    "type": "string",
    "format": "binary",
    "contentMediaType": "application/octet-stream",
    "description": "Any audio or video that ffmpeg reads.",
}


def _errors(
    *errors: type[EchoStreamError], shape: type[BaseModel] = ErrorShape
) -> dict[int | str, dict[str, Any]]:
    by_status: dict[int, list[str]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error.code)
    return {
        status: {"model": shape, "description": " or ".join(f"`{code}`" for code in codes)}
        for status, codes in sorted(by_status.items())
    }


def _body(**media: dict[str, Any]) -> dict[str, Any]:
    names = {"form": "multipart/form-data", "json": "application/json"}
    return {"requestBody": {"content": {names[kind]: media[kind] for kind in media}}}


def _object(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return schema | {"required": list(required)} if required else schema


UPLOAD_AUDIO: dict[str, Any] = {
    "response_model": TranscriptionShape | QueuedShape,
    "responses": _errors(
        MissingAudio,
        UrlNotAllowed,
        Unauthorized,
        InvalidRequest,
        *_AUDIO_ERRORS,
        UrlFetchFailed,
        QueueUnavailable,
        StorageUnavailable,
        StorageFull,
        EchoStreamError,
    ),
    "openapi_extra": _body(
        form={"schema": _object({"audio": _FILE, **_OPTIONS}, ("audio",))},
        json={
            "schema": _object(
                {"audioUrl": {"type": "string", "format": "uri"}, **_OPTIONS}, ("audioUrl",)
            ),
            "example": {"audioUrl": "https://example.com/talk.mp3", "language": "en"},
        },
    )
    | _QUEUE_HEADERS,
}

_FINALIZE_FIELDS: dict[str, Any] = {
    "audioId": {
        "type": "string",
        "maxLength": 200,
        "description": "Given back; made up when left out.",
    },
    "transcript": {"type": "string", "description": "What was transcribed before."},
    "language": _OPTIONS["language"],
    **_HEARD,
    **_QUEUE,
}

FINALIZE: dict[str, Any] = {
    "responses": {
        **_errors(
            MissingAudioOrTranscript,
            UrlNotAllowed,
            Unauthorized,
            InvalidRequest,
            *_AUDIO_ERRORS,
            QueueUnavailable,
            StorageUnavailable,
            StorageFull,
        ),
        500: {"model": ErrorShape, "description": "`finalize_failed`"},
    },
    "openapi_extra": _body(
        form={"schema": _object({"audio": _FILE, **_FINALIZE_FIELDS})},
        json={
            "schema": _object(_FINALIZE_FIELDS, ("transcript",)),
            "example": {"audioId": "call-7", "transcript": "We agreed to ship on Friday."},
        },
    )
    | _QUEUE_HEADERS,
}

_OPENAI_FIELDS: dict[str, Any] = {
    "file": _FILE,
    "model": {
        "type": "string",
        "description": "One of `/v1/models`; the default when left out and for OpenAI's names.",
    },
    "language": _OPTIONS["language"],
    "prompt": {"type": "string"},
    "hotwords": _HOTWORDS,
    "keywords": _HOTWORDS | {"description": "Another name of `hotwords`."},
    "temperature": {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
    "response_format": {
        "type": "string",
        "enum": ["json", "text", "srt", "vtt", "verbose_json"],
        "default": "json",
    },
    "stream": {"type": "boolean", "default": False},
    "max_line_chars": {
        "type": "integer",
        "minimum": 10,
        "maximum": 200,
        "default": 42,
        "description": "Columns of a line of subtitles, of which there are two.",
    },
    "max_cue_seconds": {
        "type": "number",
        "minimum": 1,
        "maximum": 60,
        "default": 7,
        "description": "Longest time a subtitle is shown.",
    },
    "timestamp_granularities[]": {
        "type": "array",
        "items": {"type": "string", "enum": ["word", "segment"]},
    },
    "include[]": {
        "type": "array",
        "items": {"type": "string", "enum": ["logprobs"]},
        "description": "`logprobs`: how sure the engine is of each word, in `json` and streams.",
    },
    "languages[]": {
        "type": "array",
        "items": _OPTIONS["language"],
        "description": "Languages that may be spoken; one is the same as `language`.",
    },
    "chunking_strategy": {
        "type": "string",
        "enum": ["auto"],
        "description": "Audio is always cut where nobody speaks.",
    },
}

OPENAI_AUDIO: dict[str, Any] = {
    "responses": {
        200: {"content": {kind: {} for kind in ("text/plain", "text/vtt", "text/event-stream")}},
        **_errors(
            Unauthorized,
            InvalidRequest,
            *_AUDIO_ERRORS,
            StorageFull,
            EchoStreamError,
            shape=OpenAIErrorShape,
        ),
    },
    "openapi_extra": _body(form={"schema": _object(_OPENAI_FIELDS, ("file",))}),
}

OPENAI_MODELS: dict[str, Any] = {
    "responses": _errors(Unauthorized, ModelUnavailable, shape=OpenAIErrorShape)
}

OPENAI_MODEL: dict[str, Any] = {
    "responses": _errors(Unauthorized, ModelNotFound, ModelUnavailable, shape=OpenAIErrorShape)
}

JOB: dict[str, Any] = {
    "responses": _errors(
        Unauthorized, JobNotFound, InvalidRequest, QueueUnavailable, StorageUnavailable
    )
}

CANCEL: dict[str, Any] = {
    "responses": JOB["responses"] | {202: {"description": "It is at work and being stopped."}}
}

READY: dict[str, Any] = {
    "responses": {503: {"description": "Not ready; the body says what is missing."}}
}
