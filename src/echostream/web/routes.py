"""EchoStream's own REST API."""

import os
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from echostream.domain import Progress
from echostream.errors import (
    EchoStreamError,
    MissingAudio,
    MissingAudioOrTranscript,
    UrlFetchFailed,
    UrlNotAllowed,
)
from echostream.options import FinalizeOptions, UploadOptions
from echostream.pipeline import Pipeline, Result, ignore_progress
from echostream.schema import (
    InsightsShape,
    SegmentShape,
    SpeakerShape,
    TranscriptionShape,
    WarningShape,
)
from echostream.sources import Source, Url
from echostream.web.answers import json_answer, json_text
from echostream.web.auth import CallerDep, require_token
from echostream.web.deps import Jobs, Services, ServicesDep
from echostream.web.describe import (
    AUDIO_ERRORS,
    QUEUE_ERRORS,
    ErrorShape,
    QueuedShape,
    body_of,
    errors,
    form_of,
    json_of,
)
from echostream.web.events import EVENT_STREAM, event_stream
from echostream.web.jobs import IdempotencyKey, enqueue
from echostream.web.metrics import CONTENT_TYPE_LATEST, merged
from echostream.web.peers import is_from_peer
from echostream.web.uploads import read_body
from echostream.web.watched import is_wanted, watched
from echostream.web.work import with_request

open_router = APIRouter(tags=["state"])
"""Endpoints that need no token."""

router = APIRouter(dependencies=[Depends(require_token)])


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


@router.post(
    "/upload-audio",
    tags=["transcription"],
    response_model=TranscriptionShape | QueuedShape,
    responses={
        200: {"content": {EVENT_STREAM: {}}},
        **errors(
            MissingAudio,
            UrlNotAllowed,
            *AUDIO_ERRORS,
            EchoStreamError,
            UrlFetchFailed,
            *QUEUE_ERRORS,
        ),
    },
    openapi_extra=body_of(
        form_of(UploadOptions, "audio"),
        json_of(
            UploadOptions,
            "audioUrl",
            example={"audioUrl": "https://example.com/talk.mp3", "language": "en"},
        ),
    ),
)
async def upload_audio(
    request: Request, services: ServicesDep, caller: CallerDep, key: IdempotencyKey = None
) -> Response:
    """Transcribe a file or a URL and generate insights from the transcript. With the header
    `Accept: text/event-stream`, the answer is a stream of events `progress` (`stage`, `progress`,
    `secondsLeft` and the `text` so far, like those of a job; the stage `waiting` means that others
    come first), then `done` with the whole answer, or `error`."""
    pipeline = services.pipeline
    if services.jobs is None:
        pipeline.engine.check()  # before the body is read, so that a busy server refuses cheaply
    async with read_body(request, UploadOptions) as body:
        asked = body.fields
        source = body.file or (Url(asked.audio_url) if asked.audio_url else None)
        if source is None:
            raise MissingAudio("send a file in the form field 'audio', or a JSON 'audioUrl'")
        if asked.use_queue:
            return await enqueue(services, caller, asked, body.file, key)
        if is_wanted(request):
            # The answer outlives the request's form, which closes its file.
            own = os.fdopen(os.dup(body.file.fileno()), "rb") if body.file else None
            return await _upload_watched(request, services, asked, own or source)
        result = await with_request(request, _run(services, asked, source))
    services.metrics.observe(result)
    return await json_answer(lambda: _shape_of(result, asked))


def _run(
    services: Services, asked: UploadOptions, source: Source, progress: Progress = ignore_progress
) -> Coroutine[Any, Any, Result]:
    pipeline = services.pipeline
    return pipeline.run(
        source,
        asked.transcribe_options,
        audio=asked.audio_options,
        speakers=asked.speaker_options(by_default=pipeline.diarizes_by_default),
        insights=asked.insights,
        insights_options=asked.insights_options,
        progress=progress,
    )


async def _upload_watched(
    request: Request, services: Services, asked: UploadOptions, source: Source
) -> Response:
    async def run(progress: Progress) -> Result:
        try:
            return await _run(services, asked, source, progress)
        finally:
            if not isinstance(source, Url | Path):
                source.close()

    async def answer(result: Result) -> str:
        services.metrics.observe(result)
        return await json_text(lambda: _shape_of(result, asked))

    return await event_stream(request, services.metrics, watched(request, run, answer))


def _shape_of(result: Result, asked: UploadOptions) -> TranscriptionShape:
    return TranscriptionShape.of(
        result.transcript.with_cautions(asked.cautions),
        result.insights,
        cached=result.cached,
        with_words=asked.word_timestamps,
    )


@router.post(
    "/api/finalize",
    tags=["transcription"],
    response_model=FinalizeShape | QueuedShape,
    responses={
        **errors(MissingAudioOrTranscript, UrlNotAllowed, *AUDIO_ERRORS, *QUEUE_ERRORS),
        500: {"model": ErrorShape, "description": "`finalize_failed`"},
    },
    openapi_extra=body_of(
        form_of(FinalizeOptions, "audio", file_required=False),
        json_of(
            FinalizeOptions,
            "transcript",
            example={"audioId": "call-7", "transcript": "We agreed to ship on Friday."},
        ),
    ),
)
async def finalize(
    request: Request, services: ServicesDep, caller: CallerDep, key: IdempotencyKey = None
) -> Response:
    """Add the text of a last piece of audio to a transcript and generate insights from it all."""
    async with read_body(request, FinalizeOptions) as body:
        asked = body.fields
        if body.file is None and not (asked.transcript or "").strip():
            raise MissingAudioOrTranscript("send 'audio', 'transcript', or both")
        audio_id = asked.audio_id or f"rest-{time.time_ns() // 1_000_000}"
        if asked.use_queue:
            asked = asked.model_copy(update={"audio_id": audio_id})
            return await enqueue(services, caller, asked, body.file, key)
        pipeline = services.pipeline
        work = pipeline.finalize(
            asked.transcript or "",
            body.file,
            asked.transcribe_options,
            audio=asked.audio_options,
            speakers=asked.speaker_options(by_default=pipeline.diarizes_by_default),
            insights_options=asked.insights_options,
        )
        result = await with_request(request, work)
    if body.file is not None:
        services.metrics.observe(result)
    transcript = result.transcript.with_cautions(asked.cautions)
    return await json_answer(
        lambda: FinalizeShape(
            audio_id=audio_id,
            transcript=transcript.text,
            insights=InsightsShape.of(result.insights) if result.insights else None,
            segments=[SegmentShape.of(segment) for segment in transcript.segments],
            languages=list(transcript.languages),
            speakers=[SpeakerShape.of(each) for each in transcript.speakers],
            warnings=[WarningShape.of(each) for each in transcript.warnings],
        )
    )


@open_router.get("/health")
async def health() -> dict[str, str]:
    """Whether the process is up. Touches nothing slow and needs no token."""
    return {"status": "ok"}


@router.get(
    "/ready",
    tags=["state"],
    responses={503: {"description": "Not ready; the body says what is missing."}},
)
async def ready(services: ServicesDep) -> JSONResponse:
    """Whether the server can do its work; loads the engine in the background if need be."""
    pipeline = services.pipeline
    checks = {
        "engine": _check_engine(pipeline),
        "insights": _check_insights(pipeline),
        "storage": _check_storage(),
        **await _check_queue(services.jobs),
    }
    is_ready = all(check["ok"] for check in checks.values())
    body = {"status": "ok" if is_ready else "unavailable", "checks": checks}
    return JSONResponse(body, 200 if is_ready else 503)


@router.get("/metrics", tags=["state"], response_class=PlainTextResponse)
async def metrics(request: Request, services: ServicesDep) -> Response:
    """Prometheus metrics, of all processes on this host."""
    peers = services.peers
    asked_by_peer = is_from_peer(request.scope)
    text = await services.metrics.text(jobs=not asked_by_peer)
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


def _check_insights(pipeline: Pipeline) -> dict[str, Any]:
    """Always ready, since offline insights take over if a provider fails."""
    used = filter(None, (pipeline.insights_name, pipeline.insights_model))
    return {"ok": True, "detail": " ".join(used) or "off"}


def _check_storage() -> dict[str, Any]:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"ready")
    except OSError as error:
        return {"ok": False, "detail": error.strerror or "not writable"}
    return {"ok": True, "detail": "writable"}


async def _check_queue(jobs: Jobs | None) -> dict[str, dict[str, Any]]:
    """Checks whether jobs could be added: Redis and the storage, both by writing."""
    if jobs is None:
        return {"queue": {"ok": True, "detail": "off"}}
    checks = {}
    for name, check in (("queue", jobs.queue.check()), ("jobStorage", jobs.storage.check())):
        try:
            await check
        except EchoStreamError as error:
            checks[name] = {"ok": False, "detail": str(error)}
        else:
            checks[name] = {"ok": True, "detail": "connected"}
    return checks
