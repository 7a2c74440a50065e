"""Background jobs over REST: queue, inspect, cancel and export them."""

from typing import Annotated, Any, BinaryIO, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import JSONResponse

from echostream.errors import InvalidRequest, JobCompleted, JobNotFound, StagedAudioMissing
from echostream.exports import CueOptions, ExportFormat, TextOptions, export
from echostream.jobs import STATES, JobQueue, JobState, JobStatus
from echostream.jobs.awaited import delivery_id
from echostream.options import (
    JobData,
    MaxCueLines,
    MaxCueSeconds,
    MaxLineChars,
    RecordingOptions,
)
from echostream.schema import WarningShape
from echostream.settings import Settings
from echostream.storage import Storage
from echostream.web.auth import CallerDep, require_own_job
from echostream.web.deps import Services, ServicesDep
from echostream.web.describe import JOB_ERRORS, QueuedShape, RetriedShape, errors
from echostream.web.job_shapes import JOB_ID, result_of, shape_of
from echostream.web.keyring import Caller
from echostream.webhooks import check_callback_url

router = APIRouter(
    tags=["jobs"], dependencies=[Depends(require_own_job)], responses=errors(*JOB_ERRORS)
)

JobId = Annotated[str, Path(pattern=JOB_ID)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Queued requests with the same key give the same job, for a day.",
    ),
]

_MEDIA_TYPES: dict[ExportFormat, str] = {
    "txt": "text/plain",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "json": "application/json",
    "md": "text/markdown",
}


async def enqueue(
    services: Services,
    caller: Caller,
    asked: RecordingOptions,
    audio: BinaryIO | None,
    key: str | None,
) -> JSONResponse:
    """Stages the audio and adds the job, which is the caller's alone. The same `Idempotency-Key` of
    the same caller gives the same job."""
    jobs = services.require_jobs()
    services.pipeline.engine.state.named(asked.model)
    services.pipeline.insights.named(asked.insights_model)
    if asked.callback_url is not None:
        _check_callback(services.settings, asked.callback_url)
    # An empty key counts as none: it would give all who send one the same job.
    job_id = await jobs.queue.id_for(key or None, caller.scope)
    if not await jobs.queue.exists(job_id):
        job = JobData.of(asked, caller.owner)
        if audio is not None:
            await jobs.storage.stage(job_id, audio)
            job = job.model_copy(update={"audio": job_id})
        # If the job cannot be added, its audio stays staged: after a time-out Redis may still have
        # stored the job. The workers' sweep removes audio that no job owns.
        data = job.model_dump(mode="json", by_alias=True, exclude_none=True)
        if asked.callback_url is not None:
            await jobs.queue.awaited.add(job_id)
        await jobs.queue.add(job_id, "transcribe", data)
    warnings = [WarningShape.of(caution) for caution in asked.cautions]
    queued = QueuedShape(jobId=job_id, warnings=warnings or None)
    return JSONResponse(queued.model_dump(exclude_none=True))


def _check_callback(settings: Settings, url: str) -> None:
    if settings.webhook_secret is None:
        raise InvalidRequest("callbackUrl needs WEBHOOK_SECRET to be set on the server")
    check_callback_url(url, allow_private=settings.allow_private_urls)


@router.get("/job/{job_id}")
async def job(services: ServicesDep, job_id: JobId) -> JSONResponse:
    """State and progress of a job; while it waits the number of jobs `ahead` of it; while it is
    active its `stage`, `secondsLeft` (null while that is not known) and the `text` so far; its
    result when completed, its error when failed. While it waits for another attempt,
    `lastFailure` says why and `retryAt` until when."""
    jobs = services.require_jobs()
    status = await jobs.queue.status(job_id)
    body = shape_of(status)
    if status.state == "completed":
        body["result"] = (await result_of(jobs.storage, job_id)).shape()
    if "callbackUrl" in status.data:
        body["webhook"] = await _webhook_state(jobs.webhooks, status)
    return JSONResponse(body)


@router.delete(
    "/job/{job_id}", responses={202: {"description": "It is at work and being stopped."}}
)
async def cancel(services: ServicesDep, job_id: JobId) -> JSONResponse:
    """Cancel a job, or remove one that has ended together with its result."""
    jobs = services.require_jobs()
    state = await jobs.queue.cancel(job_id)
    if state == "active":
        body = {"success": True, "jobId": job_id, "state": state, "message": "Job is being stopped"}
        return JSONResponse(body, 202)
    await jobs.storage.unstage(job_id)
    await jobs.storage.delete_result(job_id)
    return JSONResponse(
        {"success": True, "jobId": job_id, "state": "removed", "message": "Job removed"}
    )


@router.post(
    "/job/{job_id}/retry",
    response_model=RetriedShape,
    responses=errors(JobCompleted, StagedAudioMissing),
)
async def retry(services: ServicesDep, job_id: JobId) -> RetriedShape:
    """Try a failed job once more, with the audio that it was given. A job that waits for another
    attempt is tried at once; one that is waiting or active stays as it is."""
    jobs = services.require_jobs()
    status = await jobs.queue.status(job_id)
    if status.state == "completed":
        raise JobCompleted(f"job {job_id!r} has completed; it needs no other attempt")
    if status.state == "failed" and not await _can_be_done(jobs.storage, status):
        raise StagedAudioMissing(f"the audio of job {job_id!r} is no longer kept; send it again")
    if "callbackUrl" in status.data:
        await jobs.queue.awaited.add(job_id)
    return RetriedShape(jobId=job_id, state=await jobs.queue.retry(job_id))


async def _can_be_done(storage: Storage, status: JobStatus) -> bool:
    """Whether what a job needs is still there; a worker that died may have left its result."""
    audio = status.data.get("audio")
    if not isinstance(audio, str) or await storage.is_staged(audio):
        return True
    return await storage.read_result(status.job_id) is not None


@router.get("/jobs")
async def list_jobs(
    services: ServicesDep,
    caller: CallerDep,
    state: JobState | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]\.[0-9]{1,9}$")] = None,
) -> JSONResponse:
    """Your jobs without their results, those at work first, then waiting, delayed and ended ones.
    A page may have fewer than `limit`; a `cursor` that is null ends the list."""
    states = STATES if state is None else (state,)
    shown = None if caller.is_administrator else lambda job: caller.may_see(job.owner)
    found, following = await services.require_jobs().queue.page(states, limit, cursor, shown)
    return JSONResponse({"jobs": [shape_of(status) for status in found], "cursor": following})


@router.get("/job/{job_id}/transcript.{as_format}")
async def transcript(
    services: ServicesDep,
    job_id: JobId,
    as_format: ExportFormat,
    max_line_chars: Annotated[MaxLineChars, Query(alias="maxLineChars")] = 42,
    max_cue_seconds: Annotated[MaxCueSeconds, Query(alias="maxCueSeconds")] = 7.0,
    max_cue_lines: Annotated[MaxCueLines, Query(alias="maxCueLines")] = 2,
    times: Annotated[
        bool | None,
        Query(description="Times before paragraphs; else `md` has them, and `txt` does not."),
    ] = None,
    speakers: Annotated[bool, Query(description="Names of the speakers.")] = True,
) -> Response:
    """The transcript of a completed job as a document. The lengths are those of subtitles. `json`
    always has everything, and subtitles their times."""
    jobs = services.require_jobs()
    status = await jobs.queue.status(job_id)
    if status.state != "completed":
        raise JobNotFound(f"job {job_id!r} has no transcript: it is {status.state}")
    stored = await result_of(jobs.storage, job_id)
    return Response(
        export(
            stored.transcript,
            stored.insights,
            as_format,
            with_words=stored.with_words,
            cue_options=CueOptions(max_line_chars, max_cue_seconds, max_cue_lines),
            text_options=TextOptions(times, speakers),
        ),
        media_type=_MEDIA_TYPES[as_format],
        headers={"Content-Disposition": f'attachment; filename="{job_id}.{as_format}"'},
    )


async def _webhook_state(webhooks: JobQueue, job: JobStatus) -> dict[str, Any]:
    """State of the delivery: `pending`, `delivered` or `failed`."""
    try:
        status = await webhooks.status(delivery_id(job))
    except JobNotFound:
        return {"state": "pending", "attempts": 0}
    words: dict[str, Literal["delivered", "failed"]] = {
        "completed": "delivered",
        "failed": "failed",
    }
    found = {"state": words.get(status.state, "pending"), "attempts": status.attempts}
    return found | ({"message": status.message} if status.state == "failed" else {})
