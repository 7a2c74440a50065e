"""EchoStream's own REST API."""

import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, Literal, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from echostream.domain import Task
from echostream.errors import (
    EchoStreamError,
    MissingAudio,
    MissingAudioOrTranscript,
)
from echostream.pipeline import Pipeline, Url
from echostream.schema import (
    InsightsShape,
    JobData,
    SegmentShape,
    SpeakerShape,
    TranscriptionShape,
    WarningShape,
)
from echostream.web import describe
from echostream.web.auth import require_token
from echostream.web.fields import HOTWORDS_NAMES, Hotwords, Language, validated
from echostream.web.jobs import enqueue
from echostream.web.metrics import CONTENT_TYPE_LATEST, merged
from echostream.web.peers import Peers, is_from_peer
from echostream.web.uploads import file_of, is_form, read_form, read_json
from echostream.web.work import with_request

open_router = APIRouter(tags=["state"])
"""Endpoints that need no token."""

router = APIRouter(dependencies=[Depends(require_token)])


class _Fields(BaseModel):
    """Fields of a request, whether they came as JSON or as a form."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)

    use_queue: bool = False
    language: Language | None = None
    hotwords: Hotwords = Field((), validation_alias=HOTWORDS_NAMES)
    audio_track: int | None = Field(None, ge=0, le=99)
    channels: Literal["mix", "separate"] = "mix"
    callback_url: str | None = None

    def job(self) -> JobData:
        """The same as a job's data; its `options` serve requests that are answered at once too."""
        return JobData(**self.model_dump(exclude={"use_queue"}))


class UploadFields(_Fields):
    audio_url: str | None = None
    task: Task = "transcribe"
    prompt: str | None = Field(None, max_length=2000)
    word_timestamps: bool = False
    insights: bool = True


class FinalizeFields(_Fields):
    audio_id: str | None = Field(None, max_length=200)
    transcript: str | None = None


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
    segments: list[SegmentShape] = Field(
        description="The transcript in pieces, whose ids the evidence of insights refers to. Those"
        " of a given text have no times."
    )
    languages: list[str] = []
    speakers: list[SpeakerShape] = []
    warnings: list[WarningShape] = []


@router.post("/upload-audio", tags=["transcription"], **describe.UPLOAD_AUDIO)
async def upload_audio(request: Request) -> Response:
    """Transcribe a file or a URL and draw insights from the transcript."""
    pipeline = _pipeline(request)
    if request.app.state.queue is None:
        pipeline.engine.check()  # before the body is read, so that a busy server refuses cheaply
    async with _body(request, UploadFields) as body:
        fields = body.fields
        source = body.audio or (Url(fields.audio_url) if fields.audio_url else None)
        if source is None:
            raise MissingAudio("send a file in the form field 'audio', or a JSON 'audioUrl'")
        if fields.use_queue:
            return await enqueue(request, fields.job(), body.audio)
        job = fields.job()
        work = pipeline.run(source, job.options, audio=job.audio_options, insights=fields.insights)
        result = await with_request(request, work)
    request.app.state.metrics.observe(result)
    return _json(
        TranscriptionShape.of(
            result.transcript,
            result.insights,
            cached=result.cached,
            with_words=fields.word_timestamps,
        )
    )


@router.post(
    "/api/finalize",
    tags=["transcription"],
    response_model=FinalizeShape | describe.QueuedShape,
    **describe.FINALIZE,
)
async def finalize(request: Request) -> Response:
    """Add the text of a last piece of audio to a transcript, and draw insights from the whole."""
    async with _body(request, FinalizeFields) as body:
        fields = body.fields
        if body.audio is None and not (fields.transcript or "").strip():
            raise MissingAudioOrTranscript("send 'audio', 'transcript', or both")
        audio_id = fields.audio_id or f"rest-{time.time_ns() // 1_000_000}"
        data = fields.job().model_copy(update={"audio_id": audio_id})
        if fields.use_queue:
            return await enqueue(request, data, body.audio)
        work = _pipeline(request).finalize(
            data.transcript or "", body.audio, data.options, audio=data.audio_options
        )
        result = await with_request(request, work)
    if body.audio is not None:
        request.app.state.metrics.observe(result)
    return _json(
        FinalizeShape(
            audio_id=audio_id,
            transcript=result.transcript.text,
            insights=InsightsShape.of(result.insights) if result.insights else None,
            segments=[SegmentShape.of(segment) for segment in result.transcript.segments],
            languages=list(result.transcript.languages),
            speakers=[SpeakerShape.of(each) for each in result.transcript.speakers],
            warnings=[WarningShape.of(each) for each in result.transcript.warnings],
        )
    )


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
        **await _check_queue(request),
    }
    is_ready = all(check["ok"] for check in checks.values())
    body = {"status": "ok" if is_ready else "unavailable", "checks": checks}
    return JSONResponse(body, 200 if is_ready else 503)


@router.get("/metrics", tags=["state"], response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Prometheus metrics, of all processes on this host."""
    peers: Peers | None = request.app.state.peers
    asked_by_peer = is_from_peer(request.scope)
    text: bytes = await request.app.state.metrics.text(jobs=not asked_by_peer)
    if peers is not None and not asked_by_peer:
        answers = await peers.ask("/metrics", request.headers.get("authorization"))
        texts = {number: answer.text for number, answer in answers.items() if answer.is_success}
        text = merged({peers.number: text.decode()} | texts)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _check_engine(pipeline: Pipeline) -> dict[str, Any]:
    state = pipeline.engine.state
    if state.default.is_loaded:
        return {"ok": True, "detail": f"{state.default.engine} {state.default.model}"}
    pipeline.engine.warm_up()
    return {"ok": False, "detail": str(state.error or "loading")}


def _check_storage() -> dict[str, Any]:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"ready")
    except OSError as error:
        return {"ok": False, "detail": error.strerror or "not writable"}
    return {"ok": True, "detail": "writable"}


async def _check_queue(request: Request) -> dict[str, dict[str, Any]]:
    """The queue with its Redis, and the storage that it needs."""
    state = request.app.state
    if state.queue is None:
        return {"queue": {"ok": True, "detail": "off"}}
    checks = {}
    for name, check in (("queue", state.queue.ping()), ("jobStorage", state.storage.check())):
        try:
            await check
        except EchoStreamError as error:
            checks[name] = {"ok": False, "detail": str(error)}
        else:
            checks[name] = {"ok": True, "detail": "connected"}
    return checks


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
