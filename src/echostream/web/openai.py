"""The OpenAI-compatible API under `/v1`: what the official SDK sends and parses."""

import asyncio
import json
import math
import os
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import asdict
from typing import Any, BinaryIO, Literal

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.datastructures import FormData

from echostream.domain import Segment, Task, TranscribeOptions, Transcript, joined
from echostream.engine import Capabilities, ModelState
from echostream.errors import EchoStreamError, InvalidRequest, ModelNotFound
from echostream.exports import CueOptions, to_srt, to_vtt
from echostream.pipeline import Pipeline, Result
from echostream.web import describe
from echostream.web.auth import require_token
from echostream.web.fields import (
    HOTWORDS_NAMES,
    Hotwords,
    Language,
    MaxCueSeconds,
    MaxLineChars,
    validated,
)
from echostream.web.uploads import file_of, is_form, read_form
from echostream.web.work import with_request

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1", tags=["openai"], dependencies=[Depends(require_token)])

Granularity = Literal["word", "segment"]
ResponseFormat = Literal["json", "text", "srt", "vtt", "verbose_json"]

UNFORESEEN = "the server could not process this request"
"""All that a client is told of a fault that is not one of ours."""

_SEEK_FRAMES_PER_S = 100
_LEAST_PROBABILITY = 1e-6
_OPENAIS_OWN = re.compile(r"(whisper-\d+|gpt-.*)")
"""Names of models that OpenAI has and we do not: our default stands in for them."""


_ARRAY_FIELD = re.compile(r"(\w+)\[\d*\]")
_ARRAYS = {"timestamp_granularities", "include", "languages"}


class AudioFields(BaseModel):
    """Form fields of the two audio endpoints. What cannot be honoured is refused by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    language: Language | None = None
    languages: tuple[Language, ...] = ()
    chunking_strategy: Literal["auto"] | None = None
    include: tuple[Literal["logprobs"], ...] = ()
    prompt: str | None = None
    hotwords: Hotwords = Field((), validation_alias=HOTWORDS_NAMES)
    temperature: float = Field(0.0, ge=0.0, le=1.0)
    response_format: ResponseFormat = "json"
    stream: bool = False
    max_line_chars: MaxLineChars = 42
    max_cue_seconds: MaxCueSeconds = 7.0
    timestamp_granularities: tuple[Granularity, ...] = ("segment",)

    @field_validator("model")
    @classmethod
    def _openais_mean_the_default(cls, name: str | None) -> str | None:
        return None if name and _OPENAIS_OWN.fullmatch(name) else name

    @property
    def wants_words(self) -> bool:
        return self.response_format == "verbose_json" and "word" in self.timestamp_granularities

    @property
    def wants_logprobs(self) -> bool:
        return "logprobs" in self.include

    @property
    def cue_options(self) -> CueOptions:
        return CueOptions(self.max_line_chars, self.max_cue_seconds)

    def options(self, task: Task) -> TranscribeOptions:
        """Of several possible languages the first is that of parts too short to tell; one is all
        that there is."""
        only = self.languages[0] if len(self.languages) == 1 else None
        return TranscribeOptions(
            language=self.language or only,
            expected_language=self.languages[0] if len(self.languages) > 1 else None,
            task=task,
            prompt=self.prompt,
            hotwords=self.hotwords,
            temperature=self.temperature,
            model=self.model,
        )


@router.post("/audio/transcriptions", **describe.OPENAI_AUDIO)
async def transcriptions(request: Request) -> Response:
    """Transcribe a file in its own language."""
    return await _answer(request, "transcribe")


@router.post("/audio/translations", **describe.OPENAI_AUDIO)
async def translations(request: Request) -> Response:
    """Transcribe a file into English."""
    return await _answer(request, "translate")


@router.get("/models", **describe.OPENAI_MODELS)
async def models(request: Request) -> dict[str, Any]:
    """The models that may be asked for, the default first."""
    engine = await _pipeline(request).engine.load()
    return {"object": "list", "data": [_model(each) for each in engine.models]}


@router.get("/models/{model_id:path}", **describe.OPENAI_MODEL)
async def model(request: Request, model_id: str) -> dict[str, Any]:
    """The model of this name."""
    engine = await _pipeline(request).engine.load()
    for each in engine.models:
        if each.shown_name == model_id:
            return _model(each)
    raise ModelNotFound(f"there is no model {model_id!r}; /v1/models names those there are")


def _model(model: ModelState) -> dict[str, Any]:
    """In OpenAI's shape, and beside it what is known of the model while it is loaded."""
    # All but the default are Whisper's.
    owner = model.engine if model.is_loaded else "whisper"
    shape = {"id": model.shown_name, "object": "model", "created": 0, "owned_by": owner}
    return shape | {"loaded": model.is_loaded, "capabilities": _capabilities(model.capabilities)}


def _capabilities(known: Capabilities | None) -> dict[str, Any] | None:
    """`languages` is null where any may be asked for."""
    if known is None:
        return None
    languages = known.languages if known.languages is None else sorted(known.languages)
    return asdict(known) | {"languages": languages}


async def _answer(request: Request, task: Task) -> Response:
    pipeline = _pipeline(request)
    pipeline.engine.check()
    if not is_form(request):
        raise InvalidRequest("send the audio as multipart/form-data in the field 'file'")
    max_bytes = request.app.state.settings.max_upload_bytes
    async with read_form(request, max_bytes) as form:
        fields = validated(AudioFields, _values(form))
        audio = file_of(form, "file", max_bytes)
        if audio is None:
            raise InvalidRequest("the field 'file' is missing")
        options = fields.options(task)
        if fields.stream:
            return await _stream(request, audio, options, with_logprobs=fields.wants_logprobs)
        result = await with_request(request, pipeline.run(audio, options, insights=False))
    request.app.state.metrics.observe(result)
    return _formatted(result.transcript, fields, task)


def _values(form: FormData) -> dict[str, Any]:
    """All fields but the file. Those that may be given several times are lists, whether their names
    come with `[]`, with `[0]` or with nothing."""
    values: dict[str, Any] = {}
    for name, value in form.multi_items():
        if not value or name == "file":
            continue
        match = _ARRAY_FIELD.fullmatch(name)
        plain = match[1] if match else name
        if match or plain in _ARRAYS:
            values.setdefault(plain, []).append(value)
        else:
            values[plain] = value
    return values


def _formatted(transcript: Transcript, fields: AudioFields, task: Task) -> Response:
    match fields.response_format:
        case "text":
            return PlainTextResponse(transcript.text + "\n")
        case "srt":
            return PlainTextResponse(to_srt(transcript, fields.cue_options))
        case "vtt":
            return PlainTextResponse(to_vtt(transcript, fields.cue_options), media_type="text/vtt")
        case "json":
            return JSONResponse(_json(transcript, fields))
        case "verbose_json":
            return JSONResponse(_verbose(transcript, fields, task))


def _json(transcript: Transcript, fields: AudioFields) -> dict[str, Any]:
    body: dict[str, Any] = {"text": transcript.text}
    if transcript.languages:
        body["languages"] = [{"code": code} for code in transcript.languages]
    if fields.wants_logprobs:
        body["logprobs"] = _logprobs(transcript.segments)
    return body | {"usage": _usage(transcript)}


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": round(transcript.duration_s, 3)}


def _logprobs(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """One for each word, with the space before it: that is how sure the engine is of words. The
    tokens put together are the text."""
    found: list[dict[str, Any]] = []
    for segment in segments:
        for number, word in enumerate(segment.words):
            first = segment if number == 0 else word
            token = f" {word.text}" if found and first.space_before else word.text
            logprob = round(math.log(max(word.probability, _LEAST_PROBABILITY)), 4)
            found.append({"token": token, "logprob": logprob, "bytes": list(token.encode())})
    return found


def _verbose(transcript: Transcript, fields: AudioFields, task: Task) -> dict[str, Any]:
    body: dict[str, Any] = {
        "task": task,
        "language": transcript.language,
        "duration": round(transcript.duration_s, 3),
        "text": transcript.text,
        "segments": [_verbose_segment(segment) for segment in transcript.segments],
    }
    if fields.wants_words:
        body["words"] = [
            {"word": word.text, "start": word.start_s, "end": word.end_s}
            for word in transcript.words
        ]
    return body | {"usage": _usage(transcript)}


def _verbose_segment(segment: Segment) -> dict[str, Any]:
    return {
        "id": segment.id,
        "seek": round(segment.start_s * _SEEK_FRAMES_PER_S),
        "start": segment.start_s,
        "end": segment.end_s,
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


async def _stream(
    request: Request, audio: BinaryIO, options: TranscribeOptions, *, with_logprobs: bool
) -> Response:
    """Server-sent events. An error before the first text is still an ordinary error response."""
    # The answer outlives the request's form, which closes its file.
    own_file = os.fdopen(os.dup(audio.fileno()), "rb")
    events = _events(request, own_file, options, with_logprobs=with_logprobs)
    first = await anext(events)

    async def body() -> AsyncGenerator[str]:
        async with aclosing(events):
            yield _sse(first)
            async for event in events:
                yield _sse(event)

    return StreamingResponse(body(), media_type="text/event-stream")


def _sse(event: dict[str, Any]) -> str:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n"


async def _events(
    request: Request, audio: BinaryIO, options: TranscribeOptions, *, with_logprobs: bool
) -> AsyncGenerator[dict[str, Any]]:
    """One delta a segment, as each is decoded, then the whole text. Leaving it stops the work."""
    found: asyncio.Queue[Segment | None] = asyncio.Queue()

    def ended(run: asyncio.Task[Result]) -> None:
        # Here and not below, where a client that leaves may keep us from coming to the end.
        audio.close()
        found.put_nowait(None)
        if not run.cancelled():
            run.exception()  # read, so that asyncio does not report it as lost

    work = _pipeline(request).run(audio, options, insights=False, on_segment=found.put_nowait)
    run = asyncio.create_task(with_request(request, work))
    run.add_done_callback(ended)
    said = False
    try:
        while (segment := await found.get()) is not None:
            if text := joined([segment]):
                space = " " if said and segment.space_before else ""
                delta = {"type": "transcript.text.delta", "delta": f"{space}{text}"}
                yield delta | ({"logprobs": _logprobs([segment])} if with_logprobs else {})
                said = True
        yield _last_event(request, run, raising=not said, with_logprobs=with_logprobs)
    finally:
        run.cancel()


def _last_event(
    request: Request, run: asyncio.Task[Result], *, raising: bool, with_logprobs: bool
) -> dict[str, Any]:
    """The whole text, or the error; `raising` while a status can still be sent."""
    try:
        result = run.result()
    except Exception as error:
        if raising:
            raise
        return _error_event(request, error)
    request.app.state.metrics.observe(result)
    done = {"type": "transcript.text.done", "text": result.transcript.text}
    return done | ({"logprobs": _logprobs(result.transcript.segments)} if with_logprobs else {})


def _error_event(request: Request, error: Exception) -> dict[str, Any]:
    if not isinstance(error, EchoStreamError):
        log.error("stream_crashed", exc_info=error)
        error = EchoStreamError(UNFORESEEN)
    request.app.state.metrics.errors.labels(error.code).inc()
    return error_body(error.code, error.status, str(error))


def error_body(code: str, status: int, message: str) -> dict[str, Any]:
    """An error in OpenAI's shape."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    if status == 401:
        kind = "authentication_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _pipeline(request: Request) -> Pipeline:
    pipeline: Pipeline = request.app.state.pipeline
    return pipeline
