"""Background jobs over REST: put into the queue, looked at, cancelled, exported."""

from typing import Annotated, Any, BinaryIO, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from echostream.errors import InvalidRequest, JobNotFound, QueueUnavailable
from echostream.exports import CueOptions, ExportFormat, export
from echostream.jobs import STATES, JobQueue, JobState, JobStatus, SoFar
from echostream.results import StoredResult
from echostream.schema import JobData
from echostream.storage import Storage
from echostream.web import describe
from echostream.web.auth import require_token
from echostream.web.fields import MaxCueSeconds, MaxLineChars
from echostream.webhooks import check_callback_url

router = APIRouter(tags=["jobs"], dependencies=[Depends(require_token)])

JOB_ID = r"^[A-Za-z0-9_-]{1,128}$"
JobId = Annotated[str, Path(pattern=JOB_ID)]

_MEDIA_TYPES: dict[ExportFormat, str] = {
    "txt": "text/plain",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "json": "application/json",
    "md": "text/markdown",
}


async def enqueue(request: Request, data: JobData, audio: BinaryIO | None) -> JSONResponse:
    """Stage the audio and add the job. The same `Idempotency-Key` gives the same job."""
    queue = _queue(request)
    request.app.state.pipeline.engine.state.named(data.options.model)
    if data.callback_url is not None:
        _check_callback(request, data.callback_url)
    # An empty key is none: it would give all who send one the same job.
    job_id = await queue.id_for(request.headers.get("idempotency-key") or None)
    if not await queue.exists(job_id):
        if audio is not None:
            await _storage(request).stage(job_id, audio)
            data = data.model_copy(update={"audio": job_id})
        # Audio staged for a job that cannot be added is not taken back: a time-out does not mean
        # that Redis has not stored the job. The workers' sweep removes what no job owns.
        await queue.add(job_id, "transcribe", data.model_dump(by_alias=True, exclude_none=True))
    return JSONResponse({"success": True, "jobId": job_id, "message": "Job queued for processing"})


def _check_callback(request: Request, url: str) -> None:
    settings = request.app.state.settings
    if settings.webhook_secret is None:
        raise InvalidRequest("callbackUrl needs WEBHOOK_SECRET to be set on the server")
    check_callback_url(url, allow_private=settings.allow_private_urls)


@router.get("/job/{job_id}", **describe.JOB)
async def job(request: Request, job_id: JobId) -> JSONResponse:
    """State and progress of a job; while it is active its `stage`, `secondsLeft` (null while that
    is not known) and the `text` so far; its result when completed, its error when failed."""
    status = await _queue(request).status(job_id)
    body = _shape(status)
    if status.state == "completed":
        body["result"] = (await result_of(_storage(request), job_id)).shape()
    if "callbackUrl" in status.data:
        body["webhook"] = await _webhook_state(request, job_id)
    return JSONResponse(body)


@router.delete("/job/{job_id}", **describe.CANCEL)
async def cancel(request: Request, job_id: JobId) -> JSONResponse:
    """Cancel a job, or remove one that has ended together with its result."""
    state = await _queue(request).cancel(job_id)
    if state == "active":
        body = {"success": True, "jobId": job_id, "state": state, "message": "Job is being stopped"}
        return JSONResponse(body, 202)
    storage = _storage(request)
    await storage.unstage(job_id)
    await storage.delete_result(job_id)
    return JSONResponse(
        {"success": True, "jobId": job_id, "state": "removed", "message": "Job removed"}
    )


@router.get("/jobs", **describe.JOB)
async def jobs(
    request: Request,
    state: JobState | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]\.[0-9]{1,9}$")] = None,
) -> JSONResponse:
    """Jobs without their results, those at work first, then waiting, delayed and ended ones."""
    states = STATES if state is None else (state,)
    found, following = await _queue(request).page(states, limit, cursor)
    return JSONResponse({"jobs": [_shape(status) for status in found], "cursor": following})


@router.get("/job/{job_id}/transcript.{as_format}", **describe.JOB)
async def transcript(
    request: Request,
    job_id: JobId,
    as_format: ExportFormat,
    max_line_chars: Annotated[MaxLineChars, Query(alias="maxLineChars")] = 42,
    max_cue_seconds: Annotated[MaxCueSeconds, Query(alias="maxCueSeconds")] = 7.0,
) -> Response:
    """The transcript of a completed job as a document. The lengths are those of subtitles."""
    status = await _queue(request).status(job_id)
    if status.state != "completed":
        raise JobNotFound(f"job {job_id!r} has no transcript: it is {status.state}")
    stored = await result_of(_storage(request), job_id)
    return Response(
        export(
            stored.transcript,
            stored.insights,
            as_format,
            with_words=stored.with_words,
            cue_options=CueOptions(max_line_chars, max_cue_seconds),
        ),
        media_type=_MEDIA_TYPES[as_format],
        headers={"Content-Disposition": f'attachment; filename="{job_id}.{as_format}"'},
    )


def _shape(status: JobStatus) -> dict[str, Any]:
    progress = 100 if status.state == "completed" else status.progress
    body: dict[str, Any] = {
        "jobId": status.job_id,
        "state": status.state,
        "progress": progress,
        "attempts": status.attempts,
        "createdAt": status.created_s,
        "startedAt": status.started_s,
        "finishedAt": status.finished_s,
    }
    if status.state == "failed":
        body |= {"error": status.error, "message": status.message}
    if status.so_far is not None:
        body |= shape_of(status.so_far)
    return body


def shape_of(so_far: SoFar, *, with_text: bool = True) -> dict[str, Any]:
    """What clients see of an active job beside its progress."""
    shape: dict[str, Any] = {"stage": so_far.stage, "secondsLeft": so_far.left_s}
    return shape | {"text": so_far.text} if with_text else shape


async def result_of(storage: Storage, job_id: str) -> StoredResult:
    """Raises JobNotFound where it is gone or was never ours."""
    data = await storage.read_result(job_id)
    stored = StoredResult.load(data) if data else None
    if stored is None:
        raise JobNotFound(f"the result of job {job_id!r} is no longer kept")
    return stored


async def _webhook_state(request: Request, job_id: str) -> dict[str, Any]:
    """How the delivery goes: `pending`, `delivered` or `failed`."""
    try:
        status = await request.app.state.webhooks.status(f"{job_id}-webhook")
    except JobNotFound:
        return {"state": "pending", "attempts": 0}
    words: dict[str, Literal["delivered", "failed"]] = {
        "completed": "delivered",
        "failed": "failed",
    }
    found = {"state": words.get(status.state, "pending"), "attempts": status.attempts}
    return found | ({"message": status.message} if status.message else {})


def no_queue() -> QueueUnavailable:
    return QueueUnavailable("no job queue is connected; set USE_QUEUE=true and REDIS_URL")


def _queue(request: Request) -> JobQueue:
    queue: JobQueue | None = request.app.state.queue
    if queue is None:
        raise no_queue()
    return queue


def _storage(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage
