"""The OpenAI-compatible API under `/v1`: what the official SDK sends and parses."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from echostream.domain import Segment, SpeakerOptions, Task, TranscribeOptions, joined
from echostream.engine import Capabilities, ModelState
from echostream.errors import (
    EchoStreamError,
    InvalidRequest,
    ModelNotFound,
    ModelUnavailable,
    Unauthorized,
)
from echostream.pipeline import Result
from echostream.web.auth import require_token
from echostream.web.deps import Services, ServicesDep
from echostream.web.describe import AUDIO_ERRORS, OpenAIErrorShape, body_of, errors, form_of
from echostream.web.metrics import Metrics
from echostream.web.openai_fields import AudioFields
from echostream.web.openai_references import known_voices
from echostream.web.openai_shapes import (
    diarized_segments,
    error_body,
    formatted,
    logprobs,
    told_warnings,
)
from echostream.web.uploads import is_form, read_form
from echostream.web.work import with_request

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1", tags=["openai"], dependencies=[Depends(require_token)])

UNFORESEEN = "the server could not process this request"
"""All that a client is told about an unexpected error."""

_AUDIO: dict[str, Any] = {
    "responses": {
        200: {"content": {kind: {} for kind in ("text/plain", "text/vtt", "text/event-stream")}},
        **errors(*AUDIO_ERRORS, EchoStreamError, shape=OpenAIErrorShape),
    },
    "openapi_extra": body_of(form_of(AudioFields, "file")),
}


@router.post("/audio/transcriptions", **_AUDIO)
async def transcriptions(request: Request, services: ServicesDep) -> Response:
    """Transcribe a file in its own language."""
    return await _answer(request, services, "transcribe")


@router.post("/audio/translations", **_AUDIO)
async def translations(request: Request, services: ServicesDep) -> Response:
    """Transcribe a file into English."""
    return await _answer(request, services, "translate")


@router.get("/models", responses=errors(Unauthorized, ModelUnavailable, shape=OpenAIErrorShape))
async def models(services: ServicesDep) -> dict[str, Any]:
    """The models that may be asked for, the default first."""
    engine = await services.pipeline.engine.load()
    return {"object": "list", "data": [_model(each) for each in engine.models]}


@router.get(
    "/models/{model_id:path}",
    responses=errors(Unauthorized, ModelNotFound, ModelUnavailable, shape=OpenAIErrorShape),
)
async def model(services: ServicesDep, model_id: str) -> dict[str, Any]:
    """The model of this name."""
    engine = await services.pipeline.engine.load()
    for each in engine.models:
        if each.shown_name == model_id:
            return _model(each)
    raise ModelNotFound(f"there is no model {model_id!r}; /v1/models names those there are")


def _model(model: ModelState) -> dict[str, Any]:
    """Returns OpenAI's shape, plus what is known about the model while it is loaded."""
    # All except the default are Whisper models.
    owner = model.engine if model.is_loaded else "whisper"
    shape = {"id": model.shown_name, "object": "model", "created": 0, "owned_by": owner}
    return shape | {"loaded": model.is_loaded, "capabilities": _capabilities(model.capabilities)}


def _capabilities(known: Capabilities | None) -> dict[str, Any] | None:
    """`languages` is null if any language may be requested."""
    if known is None:
        return None
    languages = known.languages if known.languages is None else sorted(known.languages)
    return asdict(known) | {"languages": languages}


async def _answer(request: Request, services: Services, task: Task) -> Response:
    pipeline = services.pipeline
    pipeline.engine.check()
    if not is_form(request):
        raise InvalidRequest("send the audio as multipart/form-data in the field 'file'")
    async with read_form(request, AudioFields, "file") as body:
        fields = body.fields
        if body.file is None:
            raise InvalidRequest("the field 'file' is missing")
        known = await with_request(request, known_voices(pipeline, fields))
        speakers = fields.speakers(known, by_default=pipeline.diarizes_by_default)
        options = fields.options(task)
        if fields.stream:
            return await _stream(_Streamed(request, services, fields, options, speakers), body.file)
        work = pipeline.run(body.file, options, speakers=speakers, insights=False)
        result = await with_request(request, work)
    services.metrics.observe(result)
    return formatted(result.transcript, fields, task)


@dataclass(frozen=True, slots=True)
class _Streamed:
    """A request whose answer is a stream."""

    request: Request
    services: Services
    fields: AudioFields
    options: TranscribeOptions
    speakers: SpeakerOptions | None

    @property
    def has_deltas(self) -> bool:
        """Whether text is sent as it is decoded, before anybody knows who said it."""
        return self.fields.response_format != "diarized_json"

    def logprobs(self, segments: Iterable[Segment]) -> dict[str, Any]:
        return {"logprobs": logprobs(segments)} if self.fields.wants_logprobs else {}


async def _stream(asked: _Streamed, audio: BinaryIO) -> Response:
    """Server-sent events. An error before the first text is an ordinary error response."""
    # The answer outlives the request's form, which closes its file.
    own_file = os.fdopen(os.dup(audio.fileno()), "rb")
    events = _events(asked, own_file)
    first = await anext(events)

    async def body() -> AsyncGenerator[str]:
        async with aclosing(events):
            yield _sse(first)
            async for event in events:
                yield _sse(event)

    return StreamingResponse(body(), media_type="text/event-stream")


def _sse(event: dict[str, Any]) -> str:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n"


async def _events(asked: _Streamed, audio: BinaryIO) -> AsyncGenerator[dict[str, Any]]:
    """Yields a delta for each decoded segment, or each segment with its speaker at the end; then
    the whole text. Closing it stops the work."""
    found: asyncio.Queue[Segment | None] = asyncio.Queue()

    def ended(run: asyncio.Task[Result]) -> None:
        # Not below: if the client leaves, the end may never be reached there.
        audio.close()
        found.put_nowait(None)
        if not run.cancelled():
            run.exception()  # read, so that asyncio does not report it as lost

    work = asked.services.pipeline.run(
        audio,
        asked.options,
        speakers=asked.speakers,
        insights=False,
        on_segment=found.put_nowait if asked.has_deltas else None,
    )
    run = asyncio.create_task(with_request(asked.request, work))
    run.add_done_callback(ended)
    said = False
    try:
        while (segment := await found.get()) is not None:
            if text := joined([segment]):
                space = " " if said and segment.space_before else ""
                delta = {"type": "transcript.text.delta", "delta": f"{space}{text}"}
                yield delta | asked.logprobs([segment])
                said = True
        for event in _last_events(asked, run, raising=not said):
            yield event
    finally:
        run.cancel()


def _last_events(
    asked: _Streamed, run: asyncio.Task[Result], *, raising: bool
) -> list[dict[str, Any]]:
    """Returns the whole text or the error. With `raising` it raises the error, as a status can
    still be sent."""
    metrics = asked.services.metrics
    try:
        result = run.result()
    except Exception as error:
        if raising:
            raise
        return [_error_event(metrics, error)]
    metrics.observe(result)
    transcript = result.transcript
    done = {"type": "transcript.text.done", "text": transcript.text}
    if not asked.has_deltas:
        return [*diarized_segments(transcript), done | told_warnings(transcript)]
    return [done | asked.logprobs(transcript.segments)]


def _error_event(metrics: Metrics, error: Exception) -> dict[str, Any]:
    if not isinstance(error, EchoStreamError):
        log.error("stream_crashed", exc_info=error)
        error = EchoStreamError(UNFORESEEN)
    metrics.errors.labels(error.code).inc()
    return error_body(error.code, error.status, str(error))
