"""Background jobs. The only module that knows BullMQ and its keys in Redis.

Names on the wire are Node BullMQ's, so that Node programs and Bull Board can read the queue, add
jobs to it and work on them. What is in a job is small: audio and results lie in the storage.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import structlog
from bullmq import Job, Queue, UnrecoverableError, Worker
from bullmq.custom_errors import DelayedError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import AuthenticationError, RedisError

from echostream.errors import EchoStreamError, JobNotFound, QueueUnavailable

log = structlog.get_logger(__name__)

JobState = Literal["waiting", "active", "completed", "failed", "delayed"]
STATES: tuple[JobState, ...] = ("active", "waiting", "delayed", "completed", "failed")

_ANSWER_S = 2.5
"""Longest a request waits for Redis, so that `queue_unavailable` comes within three seconds."""
_ATTEMPTS = 3
_BACKOFF_MS = 2000
_IDEMPOTENCY_S = 24 * 3600
_CANCEL_KEY_S = 24 * 3600
_CANCEL_LOOK_S = 0.5
_RECONNECT_S = 1.0
_RECONNECTS = 300
_HAND_BACK_S = 3.0
_PREFIX = "bull"
# BullMQ's states that clients are not told apart.
_SHOWN_AS: dict[str, JobState] = {"prioritized": "waiting", "waiting-children": "waiting"}


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it is now. `result` is what its handler returned, `error` a code with its message.

    Times are seconds since the epoch, None while they have not come.
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


def new_job_id() -> str:
    """128 random bits: knowing one id tells nothing of another."""
    return f"job_{secrets.token_hex(16)}"


class JobQueue:
    """The producer's side of one queue: add, look, cancel. Raises QueueUnavailable, within three
    seconds, from every method while Redis cannot be reached."""

    def __init__(self, name: str, redis_url: str, *, retention_s: int) -> None:
        self.name = name
        self._retention = {"age": retention_s}
        # redis-py and BullMQ would otherwise try for minutes.
        self._redis = Redis.from_url(
            redis_url,
            decode_responses=True,
            socket_connect_timeout=1,
            socket_timeout=2,
            retry=Retry(ConstantBackoff(0.1), 2),
        )
        self._queue = Queue(name, {"connection": self._redis, "prefix": _PREFIX})

    async def ping(self) -> None:
        """Raise QueueUnavailable unless Redis answers."""
        async with _available():
            await self._redis.ping()

    async def id_for(self, idempotency_key: str | None) -> str:
        """A new id, or the one that this key was given before (within a day)."""
        if idempotency_key is None:
            return new_job_id()
        # Hashed, since a key may be long or hold what Redis keys should not.
        key = f"{_PREFIX}:{self.name}:idempotency:{sha256(idempotency_key.encode()).hexdigest()}"
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
        """Add a job. Adding an id that exists changes nothing, so it is safe to try again."""
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
            # In this order: a job that has ended must not be shown as it was before.
            state: Any = await self._queue.getJobState(job_id)
            # An id may be the name of another key of the queue's, which holds no job.
            job = await self._queue.getJob(job_id) if state != "unknown" else None
        if job is None:
            raise JobNotFound(f"there is no job {job_id!r}")
        return _status(job, _SHOWN_AS.get(state, state))

    async def page(
        self, states: tuple[JobState, ...], limit: int, cursor: str | None
    ) -> tuple[list[JobStatus], str | None]:
        """Jobs state by state, the newest first, and the cursor of the next page or None.

        Jobs that move while a client turns pages may be seen twice or not at all.
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
        """Remove a job that is not being worked on, giving None; ask the worker of an active one
        to stop, giving `active`. Raises JobNotFound."""
        status = await self.status(job_id)
        async with _available():
            if status.state != "active" and await self._queue.remove(job_id):
                # An `Idempotency-Key` may bring the id back.
                await self._redis.delete(self._cancel_key(job_id))
                return None
            await self._redis.set(self._cancel_key(job_id), "1", ex=_CANCEL_KEY_S)
        return "active"

    async def is_cancelled(self, job_id: str) -> bool:
        """Whether `cancel` was asked for. False while Redis cannot be reached."""
        try:
            return bool(await self._redis.exists(self._cancel_key(job_id)))
        except (RedisError, OSError):
            return False

    async def aclose(self) -> None:
        await self._redis.aclose()

    def _cancel_key(self, job_id: str) -> str:
        return f"{_PREFIX}:{self.name}:cancel:{job_id}"


@asynccontextmanager
async def _available() -> AsyncIterator[None]:
    """Translate every way in which Redis can be away."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            yield
    except (RedisError, OSError, TimeoutError) as error:
        raise QueueUnavailable("the job queue cannot be reached; try again later") from error


def _read_cursor(cursor: str | None, states: int) -> tuple[int, int]:
    place, _, offset = (cursor or "0.0").partition(".")
    if not (place.isdecimal() and offset.isdecimal() and int(place) < states):
        return states, 0  # A cursor that is not ours leads nowhere: an empty last page.
    return int(place), int(offset)


def _status(job: Job, state: JobState) -> JobStatus:
    error = message = None
    if state == "failed":
        error, message = read_failure(job.failedReason or "")
    return JobStatus(
        job_id=job.id,
        state=state,
        progress=job.progress if isinstance(job.progress, int) else 0,
        data=_data(job),
        result=job.returnvalue if isinstance(job.returnvalue, dict) else None,
        error=error,
        message=message,
        attempts=job.attemptsMade,
        created_s=job.timestamp / 1000,
        started_s=job.processedOn / 1000 if job.processedOn else None,
        finished_s=job.finishedOn / 1000 if job.finishedOn else None,
    )


def _data(job: Job) -> dict[str, Any]:
    """Other programs may add jobs whose data is anything."""
    return job.data if isinstance(job.data, dict) else {}


def failure(error: EchoStreamError) -> str:
    """An error as BullMQ's failedReason, which is one string."""
    return f"{error.code}: {error}"


def read_failure(reason: str) -> tuple[str, str]:
    """Code and message of a failedReason, also of one that BullMQ or another worker wrote."""
    code, colon, message = reason.partition(": ")
    if colon and code.replace("_", "").isalpha() and code.islower():
        return code, message
    if "stalled" in reason:
        return "job_stalled", "the job brought its worker down more than once, or lost it twice"
    return "process_failed", "the job could not be processed"


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How BullMQ guards jobs that are worked on; times in seconds.

    A worker that dies is noticed after `lock_s` at most, plus `stalled_check_s`.
    """

    concurrency: int
    lock_s: float = 60.0
    stalled_check_s: float = 15.0
    max_stalled: int = 1
    time_limit_s: float | None = None


class ActiveJob:
    """A job in the hands of a worker."""

    def __init__(self, job: Job) -> None:
        self._job = job
        # What an earlier attempt came to, which a client has seen.
        self._told = job.progress if isinstance(job.progress, int) else 0
        self.job_id: str = job.id
        self.name: str = job.name
        self.data = _data(job)
        self.is_last_attempt = job.attemptsMade + 1 >= (job.opts.get("attempts") or 1)

    async def tell_progress(self, percent: int) -> None:
        """Keep the progress, 0 to 100; it never goes back, not even in another attempt, and Redis
        being away costs nothing."""
        if percent <= self._told:
            return
        self._told = percent
        with suppress(RedisError, OSError):
            await self._job.updateProgress(percent)

    @property
    def waited_s(self) -> float:
        """Time between adding the job and now."""
        return max(0.0, time.time() - float(self._job.timestamp) / 1000)


class Permanent(Exception):
    """Raised by a handler for a fault that another attempt would meet again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class Later(Exception):
    """Raised by a handler that cannot work yet: the job comes back, without using an attempt."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(f"again in {delay_s} s")
        self.delay_s = delay_s


Handler = Callable[[ActiveJob], Coroutine[Any, Any, dict[str, Any]]]
OnEnd = Callable[[str, dict[str, Any], bool], Coroutine[Any, Any, None]]
"""Told id, data and whether it completed when a job has ended for good. May be told twice."""


class JobWorker:
    """The consumer's side of one queue: runs a handler on each job until closed."""

    def __init__(
        self,
        queue: JobQueue,
        redis_url: str,
        handler: Handler,
        options: WorkerOptions,
        *,
        on_end: OnEnd,
        on_stalled: Callable[[str], None] = lambda _job_id: None,
        on_retry: Callable[[str], None] = lambda _job_id: None,
    ) -> None:
        self._queue = queue
        self._redis_url = redis_url
        self._handler = handler
        self._options = options
        self._on_end = on_end
        self._on_stalled = on_stalled
        self._on_retry = on_retry
        self._hand_back = asyncio.Event()
        self._closing = False
        self._after: set[asyncio.Task[None]] = set()
        self._works: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self._worker: Worker | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self.busy = 0

    async def run(self) -> None:
        """Work until `close`. BullMQ's loop can end by itself; then it is built anew, and when
        that happens too often RuntimeError is raised. A Redis that is away is waited for, one that
        refuses us raises QueueUnavailable."""
        quick_ends = 0
        while await self._redis_answers():
            started = time.monotonic()
            self._worker = self._build()
            await self._worker.run()
            if self._closing:
                break
            quick_ends = 0 if time.monotonic() - started > 60 else quick_ends + 1
            log.error("worker_loop_ended", queue=self._queue.name, in_a_row=quick_ends)
            if quick_ends >= 5:
                raise RuntimeError("the queue's worker loop keeps ending")
            await self._worker.close(force=True)

    async def _redis_answers(self) -> bool:
        """True once it does, False when closed before. BullMQ would wait too, but without a word,
        at ever longer intervals, and not for ever."""
        complained = False
        while not self._closing:
            try:
                await self._queue.ping()
                return not self._closing
            except QueueUnavailable as error:
                refused = isinstance(error.__cause__, AuthenticationError)
                if refused or not complained:
                    reason = repr(error.__cause__)
                    log.warning("redis_unavailable", queue=self._queue.name, reason=reason)
                if refused:
                    raise
                complained = True
                await asyncio.sleep(_RECONNECT_S)
        return False

    async def close(self, grace_s: float) -> None:
        """Take no new jobs, let running ones go on for `grace_s`, hand back what is left.

        Done a few seconds later even if Redis is away; what could not be handed back then comes
        back when its lock has run out.
        """
        self._closing = True
        if self._worker is None:
            return
        # Told to close, BullMQ would renew no more locks, and lose what goes on for longer.
        await self._worker.pause(do_not_wait_active=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace_s)
        self._hand_back.set()
        closing = asyncio.ensure_future(self._worker.close())
        _done, late = await asyncio.wait({closing}, timeout=_HAND_BACK_S)
        if late:
            await self._worker.close(force=True)
        await closing
        await asyncio.gather(*self._after, return_exceptions=True)

    def _build(self) -> Worker:
        options = self._options
        worker = Worker(
            self._queue.name,
            self._process,
            {
                "connection": connection_options(self._redis_url),
                "prefix": _PREFIX,
                "autorun": False,
                "concurrency": options.concurrency,
                "lockDuration": int(options.lock_s * 1000),
                "stalledInterval": int(options.stalled_check_s * 1000),
                "maxStalledCount": options.max_stalled,
                # The default of 15 s would leave workers idle that long after Redis is back.
                "runRetryDelay": 1000,
            },
        )
        worker.on("completed", lambda job, _result: self._ended(job, completed=True))
        worker.on("failed", lambda job, error: self._failed(job, error))
        worker.on("stalled", self._on_stalled)
        worker.on("error", self._erred)
        # BullMQ's own pauses grow to 20 s, in which a Redis that is back finds nobody.
        for client in (worker.client, worker.bclient):
            client.set_retry(Retry(ConstantBackoff(_RECONNECT_S), _RECONNECTS))
        return worker

    async def _process(self, job: Job, token: str) -> dict[str, Any]:
        """BullMQ's processor: the handler, until it ends, is cancelled, late, or handed back."""
        with structlog.contextvars.bound_contextvars(job_id=job.id):
            self.busy += 1
            self._idle.clear()
            try:
                return await self._handle(job, token)
            finally:
                self.busy -= 1
                if self.busy == 0:
                    self._idle.set()

    async def _handle(self, job: Job, token: str) -> dict[str, Any]:
        ended = asyncio.Event()
        work = self._work(job)
        cancelled = asyncio.create_task(self._until_cancelled(job.id, ended))
        stopping = asyncio.create_task(self._hand_back.wait())
        watchers = {work, cancelled, stopping}
        try:
            await asyncio.wait(
                watchers,
                timeout=self._options.time_limit_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if work.done():
                return await self._outcome(job, token, work)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            if cancelled.done():
                raise UnrecoverableError("job_cancelled: the job was cancelled")
            if stopping.done():
                log.info("job_handed_back")
                await self._put_back(job, token, 0.0)
            raise UnrecoverableError("job_timeout: the job took longer than allowed")
        finally:
            ended.set()
            work.cancel()
            stopping.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)

    def _work(self, job: Job) -> asyncio.Task[dict[str, Any]]:
        """The handler at work on the job. Once only: when Redis hangs for longer than the lock
        lasts, this worker may be given a job again that it still has in hand."""
        if (work := self._works.get(job.id)) is None:
            work = self._works[job.id] = asyncio.create_task(self._handler(ActiveJob(job)))
            work.add_done_callback(lambda _: self._works.pop(job.id))
        return work

    async def _outcome(
        self, job: Job, token: str, work: asyncio.Task[dict[str, Any]]
    ) -> dict[str, Any]:
        if work.cancelled():  # by the one who had the job in hand before
            await self._put_back(job, token, 0.0)
        try:
            return work.result()
        except Later as later:
            await self._put_back(job, token, later.delay_s)
        except Permanent as error:
            raise UnrecoverableError(str(error)) from error
        except EchoStreamError as error:
            log.warning("job_failed", code=error.code, reason=str(error))
            kind = RuntimeError if error.retryable else UnrecoverableError
            raise kind(failure(error)) from error
        raise AssertionError("unreachable")

    async def _put_back(self, job: Job, token: str, delay_s: float) -> None:
        """Give the job back to the queue; the attempt does not count."""
        await job.moveToDelayed(round((time.time() + delay_s) * 1000), token)
        raise DelayedError

    async def _until_cancelled(self, job_id: str, ended: asyncio.Event) -> None:
        """Until the job is cancelled, or has ended without.

        Looking costs little and, unlike a message, cannot be lost while Redis is away. An event
        ends this rather than a cancellation, which redis-py can swallow while it connects.
        """
        while not ended.is_set() and not await self._queue.is_cancelled(job_id):
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _CANCEL_LOOK_S)

    def _failed(self, job: Job, error: Exception) -> None:
        is_final = isinstance(error, UnrecoverableError)
        if is_final or job.attemptsMade >= (job.opts.get("attempts") or 1):
            self._ended(job, completed=False)
        else:
            self._on_retry(job.id)

    def _ended(self, job: Job, *, completed: bool) -> None:
        self._afterwards(self._on_end(job.id, _data(job), completed))

    def _erred(self, error: Exception, job: Job | None = None) -> None:
        log.warning("worker_error", reason=repr(error))
        if job is not None:
            self._afterwards(self._look_again(job))

    async def _look_again(self, job: Job) -> None:
        """Whether a job has ended of which we could not hear so: Redis had done as it was told, and
        was away before it could say that."""
        with suppress(JobNotFound, QueueUnavailable):
            status = await self._queue.status(job.id)
            if status.state in ("completed", "failed"):
                await self._on_end(job.id, job.data, status.state == "completed")

    def _afterwards(self, what: Coroutine[Any, Any, None]) -> None:
        """BullMQ's listeners are plain functions, so what follows runs in a task of its own."""
        task = asyncio.ensure_future(what)
        self._after.add(task)
        task.add_done_callback(self._after.discard)


def connection_options(redis_url: str) -> dict[str, Any]:
    """A Redis URL as the options BullMQ's worker makes its connections from.

    BullMQ blocks for up to 10 s in one command; redis-py's time-out of 5 s would break that off.
    """
    parts = urlsplit(redis_url)
    options: dict[str, Any] = {
        "host": parts.hostname or "localhost",
        "port": parts.port or 6379,
        "db": int(parts.path.strip("/") or 0),
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "health_check_interval": 15,
    }
    if parts.username:
        options["username"] = unquote(parts.username)
    if parts.password:
        options["password"] = unquote(parts.password)
    if parts.scheme == "rediss":
        options["ssl"] = True
    return options
