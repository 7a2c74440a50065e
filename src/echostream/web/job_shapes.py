"""Jobs as clients see them, the same over REST and Socket.IO."""

from typing import Any

from echostream.errors import JobNotFound, QueueUnavailable
from echostream.jobs import JobQueue, JobStatus, SoFar, no_such_job
from echostream.results import StoredResult
from echostream.storage import Storage
from echostream.web.keyring import Caller

JOB_ID = r"^[A-Za-z0-9_-]{1,128}$"


def shape_of(status: JobStatus) -> dict[str, Any]:
    """A job without its result."""
    body: dict[str, Any] = {
        "jobId": status.job_id,
        "state": status.state,
        "progress": 100 if status.state == "completed" else status.progress,
        "attempts": status.attempts,
        "createdAt": status.created_s,
        "startedAt": status.started_s,
        "finishedAt": status.finished_s,
    }
    if status.state == "failed":
        body |= _failure_shape(status)
    body |= wait_shape(status)
    if status.ahead is not None:
        body["ahead"] = status.ahead
    if status.so_far is not None:
        body |= so_far_shape(status.so_far)
    return body


def wait_shape(status: JobStatus) -> dict[str, Any]:
    """Why a job waits for another attempt and, if that is known, until when; empty for others."""
    if status.error is None or status.state not in ("waiting", "delayed"):
        return {}
    shape: dict[str, Any] = {"lastFailure": _failure_shape(status)}
    return shape if status.retry_s is None else shape | {"retryAt": status.retry_s}


def _failure_shape(status: JobStatus) -> dict[str, Any]:
    return {"error": status.error, "message": status.message}


def so_far_shape(so_far: SoFar, *, with_text: bool = True) -> dict[str, Any]:
    """What clients see of an active job besides its progress."""
    shape: dict[str, Any] = {"stage": so_far.stage, "secondsLeft": so_far.left_s}
    return shape | {"text": so_far.text} if with_text else shape


async def check_owner(queue: JobQueue, caller: Caller, job_id: str) -> None:
    """Raises JobNotFound if the job is another client's, with the words for a job that there is
    not, and QueueUnavailable."""
    if not caller.is_administrator and not caller.may_see((await queue.status(job_id)).owner):
        raise no_such_job(job_id)


async def result_of(storage: Storage, job_id: str) -> StoredResult:
    """Raises JobNotFound if the result is gone or was never ours."""
    data = await storage.read_result(job_id)
    stored = StoredResult.load(data) if data else None
    if stored is None:
        raise JobNotFound(f"the result of job {job_id!r} is no longer kept")
    return stored


def no_queue() -> QueueUnavailable:
    return QueueUnavailable("no job queue is connected; set USE_QUEUE=true and REDIS_URL")
