"""The producer's side of a queue: add jobs, read their status, cancel them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from echostream import redis_client
from echostream.errors import EchoStreamError, JobNotFound, QueueUnavailable
from echostream.extras import require
from echostream.jobs.so_far import SoFar

if TYPE_CHECKING:
    from bullmq import Job

JobState = Literal["waiting", "active", "completed", "failed", "delayed"]
STATES: tuple[JobState, ...] = ("active", "waiting", "delayed", "completed", "failed")

_ANSWER_S = 2.5
"""How long a request waits for Redis, so that `queue_unavailable` comes within three seconds."""
_ATTEMPTS = 3
_BACKOFF_MS = 2000
_IDEMPOTENCY_S = 24 * 3600
_CANCEL_KEY_S = 24 * 3600
_SO_FAR_KEY_S = 3600
"""After a worker dies, its text is kept this long. A live worker writes it again and again."""
_HINT_S = 1.0
"""How long storing a hint may take. Nothing depends on hints."""
PREFIX = "bull"
# States of BullMQ that clients see as another one.
_SHOWN_AS: dict[str, JobState] = {"prioritized": "waiting", "waiting-children": "waiting"}


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it is now. `result` is what its handler returned, `error` a code with its message.

    Times are seconds since the epoch, None if they have not been reached. `so_far` is set while the
    job is active, and `ahead`, the number of jobs that come first, while it waits; lists of jobs
    have neither.
    """

    job_id: str
    state: JobState
    progress: int
    data: dict[str, Any]
    result: dict[str, Any] | None
    error: str | None
    message: str | None
    attempts: int
    created_s: float
    started_s: float | None
    finished_s: float | None
    so_far: SoFar | None = None
    ahead: int | None = None


def new_job_id() -> str:
    """128 random bits, so that nobody can guess one id from another."""
    return f"job_{secrets.token_hex(16)}"


class JobQueue:
    """The producer's side of one queue. Every method raises QueueUnavailable within three seconds
    if Redis cannot be reached, unless it says otherwise."""

    def __init__(self, name: str, redis_url: str, *, retention_s: int) -> None:
        """Raises MissingExtra, and ValueError for options in the URL that are not known."""
        require("queue", "the job queue")
        from bullmq import Queue  # slow, and of no use to an API without a queue

        self.name = name
        self._retention = {"age": retention_s}
        # By default redis-py and BullMQ would retry for minutes.
        self._redis = redis_client.connect(
            redis_url, connect_s=1, answer_s=2, retries=2, pause_s=0.1, decode_responses=True
        )
        self._queue = Queue(name, {"connection": self._redis, "prefix": PREFIX})

    async def ping(self) -> None:
        """Raises QueueUnavailable if Redis does not answer."""
        async with _available():
            await self._redis.ping()

    async def id_for(self, idempotency_key: str | None) -> str:
        """A new id, or the one that this key got earlier (within a day)."""
        if idempotency_key is None:
            return new_job_id()
        # Hashed, because a key may be long or contain characters that Redis keys should not.
        key = f"{PREFIX}:{self.name}:idempotency:{sha256(idempotency_key.encode()).hexdigest()}"
        async with _available():
            await self._redis.set(key, new_job_id(), nx=True, ex=_IDEMPOTENCY_S)
            return str(await self._redis.get(key))

    async def add(
        self,
        job_id: str,
        name: str,
        data: dict[str, Any],
        *,
        attempts: int = _ATTEMPTS,
        backoff_ms: int = _BACKOFF_MS,
    ) -> None:
        """Adds a job. If the id exists already, nothing changes, so it is safe to try again."""
        options = {
            "jobId": job_id,
            "attempts": attempts,
            "backoff": {"type": "exponential", "delay": backoff_ms},
            "removeOnComplete": self._retention,
            "removeOnFail": self._retention,
        }
        async with _available():
            await self._queue.add(name, data, options)

    async def exists(self, job_id: str) -> bool:
        async with _available():
            return bool(await self._redis.exists(self._queue.toKey(job_id)))

    async def status(self, job_id: str) -> JobStatus:
        """Raises JobNotFound."""
        async with _available():
            # The state is read first, so that a finished job is never shown with older data.
            state: Any = await self._queue.getJobState(job_id)
            # The id may be the name of another key of the queue, which holds no job.
            job = await self._queue.getJob(job_id) if state != "unknown" else None
            if job is None:
                raise JobNotFound(f"there is no job {job_id!r}")
            so_far = await self._so_far(job_id) if state == "active" else None
            if so_far == SoFar() and await self._queue.getJobState(job_id) != state:
                # It has ended since, and what had been done so far was forgotten.
                return await self.status(job_id)
            ahead = await self._ahead(job_id) if state == "waiting" else None
        return replace(_status(job, _SHOWN_AS.get(state, state)), so_far=so_far, ahead=ahead)

    async def _ahead(self, job_id: str) -> int | None:
        """How many jobs wait before this one; None if it does not wait any more. Workers take jobs
        from the list's right end."""
        waiting = self._queue.toKey("wait")
        place: Any = await self._redis.lpos(waiting, job_id, rank=-1)
        length: Any = await self._redis.llen(waiting)
        return None if place is None else max(0, length - 1 - place)

    async def page(
        self, states: tuple[JobState, ...], limit: int, cursor: str | None
    ) -> tuple[list[JobStatus], str | None]:
        """Jobs, state by state and newest first, and the cursor of the next page or None.

        Jobs that change state between two pages may appear twice or not at all.
        """
        place, offset = _read_cursor(cursor, len(states))
        found: list[JobStatus] = []
        async with _available():
            while place < len(states) and len(found) < limit:
                wanted = limit - len(found)
                jobs = await self._queue.getJobs([states[place]], offset, offset + wanted - 1)
                found += [_status(job, states[place]) for job in jobs]
                offset += len(jobs)
                if len(jobs) < wanted:
                    place, offset = place + 1, 0
        return found, f"{place}.{offset}" if place < len(states) else None

    async def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        async with _available():
            counts: dict[str, int] = await self._queue.getJobCounts(*STATES)
        return counts

    async def cancel(self, job_id: str) -> JobState | None:
        """Removes a job that is not active and returns None. If it is active, asks its worker to
        stop and returns `active`. Raises JobNotFound."""
        status = await self.status(job_id)
        async with _available():
            if status.state != "active" and await self._queue.remove(job_id):
                # The id may come back through an `Idempotency-Key`.
                await self._redis.delete(self._cancel_key(job_id))
                return None
            await self._redis.set(self._cancel_key(job_id), "1", ex=_CANCEL_KEY_S)
        return "active"

    async def is_cancelled(self, job_id: str) -> bool:
        """Whether `cancel` was called. False if Redis cannot be reached."""
        try:
            return bool(await self._redis.exists(self._cancel_key(job_id)))
        except redis_client.faults():
            return False

    async def keep_so_far(self, job_id: str, so_far: SoFar, *, with_text: bool) -> bool:
        """Stores it for whoever reads the job's status; returns whether that worked. It takes at
        most a second if Redis is slow or cannot be reached."""
        key = self._so_far_key(job_id)
        fields: Any = so_far.dump(with_text=with_text)
        try:
            async with asyncio.timeout(_HINT_S), self._redis.pipeline() as both:
                both.hset(key, mapping=fields)
                both.expire(key, _SO_FAR_KEY_S)
                await both.execute()
        except redis_client.faults():
            return False
        return True

    async def forget_so_far(self, job_id: str) -> None:
        """Called when the job has ended. If Redis cannot be reached, the key expires later."""
        with suppress(*redis_client.faults()):
            async with asyncio.timeout(_HINT_S):
                await self._redis.delete(self._so_far_key(job_id))

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def _so_far(self, job_id: str) -> SoFar:
        fields: Any = self._redis.hgetall(self._so_far_key(job_id))
        return SoFar.load(await fields)

    def _cancel_key(self, job_id: str) -> str:
        return f"{PREFIX}:{self.name}:cancel:{job_id}"

    def _so_far_key(self, job_id: str) -> str:
        return f"{PREFIX}:{self.name}:so-far:{job_id}"


@asynccontextmanager
async def _available() -> AsyncIterator[None]:
    """Turns every failure to reach Redis into QueueUnavailable."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            yield
    except redis_client.faults() as error:
        raise QueueUnavailable("the job queue cannot be reached; try again later") from error


def _read_cursor(cursor: str | None, states: int) -> tuple[int, int]:
    place, _, offset = (cursor or "0.0").partition(".")
    if not (place.isdecimal() and offset.isdecimal() and int(place) < states):
        return states, 0  # not a cursor of ours: gives an empty last page
    return int(place), int(offset)


def _status(job: "Job", state: JobState) -> JobStatus:
    error = message = None
    if state == "failed":
        error, message = read_failure(job.failedReason or "")
    return JobStatus(
        job_id=job.id,
        state=state,
        progress=job.progress if isinstance(job.progress, int) else 0,
        data=data_of(job),
        result=job.returnvalue if isinstance(job.returnvalue, dict) else None,
        error=error,
        message=message,
        attempts=job.attemptsMade,
        created_s=job.timestamp / 1000,
        started_s=job.processedOn / 1000 if job.processedOn else None,
        finished_s=job.finishedOn / 1000 if job.finishedOn else None,
    )


def data_of(job: "Job") -> dict[str, Any]:
    """The job's data. Jobs added by other programs may have data of any type."""
    return job.data if isinstance(job.data, dict) else {}


def failure(error: EchoStreamError) -> str:
    """An error as BullMQ's failedReason, which is one string."""
    return f"{error.code}: {error}"


def read_failure(reason: str) -> tuple[str, str]:
    """Code and message of a failedReason, including those that BullMQ or other workers write."""
    code, colon, message = reason.partition(": ")
    if colon and code.replace("_", "").isalpha() and code.islower():
        return code, message
    if "stalled" in reason:
        return "job_stalled", "the job's worker crashed or was lost more than once"
    return "process_failed", "the job could not be processed"
