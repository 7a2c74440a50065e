"""EchoStream's own REST API."""

import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Generic, Literal, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from echostream.domain import Insights, Segment, Task, TranscribeOptions, Transcript
from echostream.errors import (
    MissingAudio,
    MissingAudioOrTranscript,
    QueueUnavailable,
)
from echostream.pipeline import Pipeline, Url
from echostream.schema import InsightsShape, TranscriptionShape
from echostream.settings import Settings
from echostream.web import describe
from echostream.web.auth import require_token
from echostream.web.fields import Language, validated
from echostream.web.metrics import CONTENT_TYPE_LATEST
from echostream.web.uploads import file_of, is_form, read_form, read_json
from echostream.web.work import with_request

open_router = APIRouter(tags=["state"])
"""Endpoints that need no token."""

router = APIRouter(dependencies=[Depends(require_token)])


class _Fields(BaseModel):
    """Fields of a request, whether they came as JSON or as a form."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class UploadFields(_Fields):
    audio_url: str | None = None
    use_queue: bool = False
    language: Language | None = None
    task: Task = "transcribe"
    prompt: str | None = Field(None, max_length=2000)
    word_timestamps: bool = False
    insights: bool = True
    callback_url: str | None = None

    @property
    def options(self) -> TranscribeOptions:
        return TranscribeOptions(
            language=self.language,
            task=self.task,
            prompt=self.prompt,
            word_timestamps=self.word_timestamps,
        )


class FinalizeFields(_Fields):
    audio_id: str | None = Field(None, max_length=200)
    transcript: str | None = None
    language: Language | None = None


F = TypeVar("F", bound=_Fields)


@dataclass(frozen=True, slots=True)
class _Body(Generic[F]):
    fields: F
    audio: BinaryIO | None


class FinalizeShape(BaseModel):
    """The answer of `/api/finalize`."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, frozen=True)

    success: Literal[True] = True
    audio_id: str
    transcript: str
    insights: InsightsShape | None


@router.post("/upload-audio", tags=["transcription"], **describe.UPLOAD_AUDIO)
async def upload_audio(request: Request) -> Response:
    """Transcribe a file or a URL and draw insights from the transcript."""
    pipeline = _pipeline(request)
    pipeline.slots.check()  # before the body is read, so that a busy server refuses cheaply
    async with _body(request, UploadFields) as body:
        fields = body.fields
        source = body.audio or (Url(fields.audio_url) if fields.audio_url else None)
        if source is None:
            raise MissingAudio("send a file in the form field 'audio', or a JSON 'audioUrl'")
        if fields.use_queue:
            raise QueueUnavailable("no job queue is connected; leave useQueue out")
        result = await with_request(
            request, pipeline.run(source, fields.options, insights=fields.insights)
        )
    request.app.state.metrics.observe(result)
    return _json(TranscriptionShape.of(result.transcript, result.insights))


@router.post(
    "/api/finalize",
    tags=["transcription"],
    response_model=FinalizeShape,
    **describe.FINALIZE,
)
async def finalize(request: Request) -> Response:
    """Add the text of a last piece of audio to a transcript, and draw insights from the whole."""
    async with _body(request, FinalizeFields) as body:
        fields = body.fields
        if body.audio is None and not (fields.transcript or "").strip():
            raise MissingAudioOrTranscript("send 'audio', 'transcript', or both")
        transcript, insights = await with_request(request, _finalize(request, body))
    return _json(
        FinalizeShape(
            audio_id=fields.audio_id or f"rest-{time.time_ns() // 1_000_000}",
            transcript=transcript.text,
            insights=InsightsShape.of(insights) if insights else None,
        )
    )


async def _finalize(
    request: Request, body: _Body[FinalizeFields]
) -> tuple[Transcript, Insights | None]:
    pipeline = _pipeline(request)
    given = text_segments(body.fields.transcript or "")
    whole = Transcript(given, body.fields.language or "en", 0.0, "none", "none")
    if body.audio is not None:
        options = TranscribeOptions(language=body.fields.language)
        result = await pipeline.run(body.audio, options, insights=False)
        request.app.state.metrics.observe(result)
        new = (
            replace(segment, id=number)
            for number, segment in enumerate(result.transcript.segments, start=len(given))
        )
        whole = replace(result.transcript, segments=(*given, *new))
    return whole, await pipeline.analyse(whole)


def text_segments(text: str) -> tuple[Segment, ...]:
    """Text without times as segments, one a line or sentence, so that insights can point at it.

    Joined by spaces they give the text back, but for its white space.
    """
    sentences = re.split(r"(?<=[.!?。！？])\s+|\n+", text.strip())
    found = (" ".join(sentence.split()) for sentence in sentences)
    return tuple(
        Segment(id=number, start_s=0.0, end_s=0.0, text=sentence)
        for number, sentence in enumerate(filter(None, found))
    )


@router.get("/job/{job_id}", tags=["jobs"], **describe.JOB)
@router.delete("/job/{job_id}", tags=["jobs"], **describe.JOB)
async def job(job_id: str) -> Response:
    """State of a background job."""
    raise QueueUnavailable(f"no job queue is connected, so there is no job {job_id!r}")


@open_router.get("/health")
async def health() -> dict[str, str]:
    """Whether the process is up. Touches nothing slow and needs no token."""
    return {"status": "ok"}


@router.get("/ready", tags=["state"], **describe.READY)
async def ready(request: Request) -> JSONResponse:
    """Whether the server can do its work; loads the engine in the background if need be."""
    checks = {
        "engine": _check_engine(_pipeline(request)),
        "insights": {"ok": True, "detail": _pipeline(request).insights_name or "off"},
        "storage": _check_storage(),
        "queue": _check_queue(request.app.state.settings),
    }
    is_ready = all(check["ok"] for check in checks.values())
    body = {"status": "ok" if is_ready else "unavailable", "checks": checks}
    return JSONResponse(body, 200 if is_ready else 503)


@router.get("/metrics", tags=["state"], response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Prometheus metrics."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _check_engine(pipeline: Pipeline) -> dict[str, Any]:
    engine = pipeline.transcriber.loaded
    if engine is not None:
        return {"ok": True, "detail": f"{engine.engine} {engine.model}"}
    error = pipeline.transcriber.error
    pipeline.warm_up()
    return {"ok": False, "detail": str(error) if error else "loading"}


def _check_storage() -> dict[str, Any]:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"ready")
    except OSError as error:
        return {"ok": False, "detail": error.strerror or "not writable"}
    return {"ok": True, "detail": "writable"}


def _check_queue(settings: Settings) -> dict[str, Any]:
    if settings.use_queue:
        return {"ok": False, "detail": "this version has no job queue"}
    return {"ok": True, "detail": "off"}


@asynccontextmanager
async def _body(request: Request, fields: type[F]) -> AsyncIterator[_Body[F]]:
    """The request's fields and its file, from a form or from JSON."""
    if not is_form(request):
        yield _Body(validated(fields, await read_json(request)), None)
        return
    max_bytes = request.app.state.settings.max_upload_bytes
    async with read_form(request, max_bytes) as form:
        # A form has no null: an empty field is one that was left out.
        values = {name: value for name, value in form.items() if value}
        values.pop("audio", None)
        yield _Body(validated(fields, values), file_of(form, "audio", max_bytes))


def _pipeline(request: Request) -> Pipeline:
    pipeline: Pipeline = request.app.state.pipeline
    return pipeline


def _json(shape: BaseModel) -> Response:
    return Response(shape.model_dump_json(by_alias=True), media_type="application/json")
