"""The consumer's side of a queue: runs a handler on each job and supervises it.

Only for workers: it cannot be imported without BullMQ, which an API without a queue may not have.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

import structlog
from bullmq import DelayedError, Job, UnrecoverableError, Worker

from echostream import redis_client, traces
from echostream.errors import EchoStreamError, JobNotFound, QueueUnavailable
from echostream.jobs.active import ActiveJob, JobEnd, Later
from echostream.jobs.connection import PREFIX, connection_options
from echostream.jobs.crashes import NEVER, spare_workers
from echostream.jobs.faults import CANCELLED, Patience, Waits, as_error
from echostream.jobs.queue import JobQueue
from echostream.jobs.status import data_of, failure, read_failure
from echostream.lifeline import Grace

log = structlog.get_logger(__name__)

_RECONNECT_S = 1.0
_RECONNECTS = 300
_SHARE_OF_HANDING_BACK = 0.5
_SHARE_OF_STOPPING = 0.2
"""Of the time for closing. So long the work on a job may take to stop before the job is handed back
without that: it may wait for a storage that does not answer."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How BullMQ supervises active jobs; times in seconds.

    A dead worker is noticed after at most `lock_s` plus `stalled_check_s`. `patience` is for jobs
    that fail through no fault of their own.
    """

    concurrency: int
    lock_s: float = 60.0
    stalled_check_s: float = 15.0
    time_limit_s: float | None = None
    patience: Patience = field(default_factory=Patience)


Handler = Callable[[ActiveJob], Coroutine[Any, Any, dict[str, Any]]]
OnEnd = Callable[[JobEnd], Coroutine[Any, Any, None]]
"""Called when a job has ended. May be called twice, or never if the worker dies at that moment."""


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
        self._stop_s: float | None = None
        self._after: set[asyncio.Task[None]] = set()
        self._works: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self._worker: Worker | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self.busy = 0
        self.faults = 0
        """How often a job has met a fault of ours."""

    async def run(self) -> None:
        """Works until `close`. If BullMQ's loop ends by itself, a new worker is built; RuntimeError
        is raised if that happens too often. If Redis cannot be reached, this waits; if Redis
        refuses our login, QueueUnavailable is raised."""
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
        """Waits for Redis: True when it answers, False if closed before. BullMQ would wait too, but
        silently, at growing intervals, and not indefinitely."""
        complained = False
        while not self._closing:
            try:
                await self._queue.ping()
                return not self._closing
            except QueueUnavailable as error:
                refused = redis_client.is_refusal(error.__cause__)
                if refused or not complained:
                    reason = repr(error.__cause__)
                    log.warning("redis_unavailable", queue=self._queue.name, reason=reason)
                if refused:
                    raise
                complained = True
                await asyncio.sleep(_RECONNECT_S)
        return False

    async def close(self, grace: Grace) -> None:
        """Takes no new jobs, lets active ones continue for their part of the grace, then hands the
        rest back.

        Ends soon after that even if Redis cannot be reached. Jobs that could not be handed back
        return to the queue when their locks expire.
        """
        self._closing = True
        self._stop_s = _SHARE_OF_STOPPING * grace.closing_s
        if self._worker is None:
            return
        # `close` comes later: after it BullMQ renews no locks and would lose jobs that still run.
        await self._worker.pause(do_not_wait_active=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace.work_s)
        self._hand_back.set()
        closing = asyncio.ensure_future(self._worker.close())
        hand_back_s = _SHARE_OF_HANDING_BACK * grace.closing_s
        _done, late = await asyncio.wait({closing}, timeout=hand_back_s)
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
                "prefix": PREFIX,
                "autorun": False,
                "concurrency": options.concurrency,
                "lockDuration": int(options.lock_s * 1000),
                "stalledInterval": int(options.stalled_check_s * 1000),
                "maxStalledCount": NEVER,  # `spare_workers` sees to it
                # With the default, workers would stay idle for 15 s after Redis is back.
                "runRetryDelay": 1000,
            },
        )
        worker.on("completed", lambda job, _result: self._ended(job, None))
        worker.on("failed", lambda job, error: self._failed(job, error))
        worker.on("stalled", self._on_stalled)
        worker.on("lockRenewalFailed", self._forgive)
        worker.on("error", self._erred)
        # BullMQ's own pauses grow to 20 s; workers would be idle that long after Redis is back.
        for client in (worker.client, worker.bclient):
            client.set_retry(redis_client.retry(_RECONNECTS, _RECONNECT_S))
        return worker

    async def _process(self, job: Job, token: str) -> dict[str, Any]:
        """BullMQ's processor: runs the handler on a job, within its limits."""
        step = traces.span(
            f"job {job.name}",
            kind=traces.SpanKind.CONSUMER,
            continues=data_of(job),
            queue=self._queue.name,
            job_id=job.id,
            attempt=job.attemptsMade + 1,
        )
        with step, structlog.contextvars.bound_contextvars(job_id=job.id):
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
        if job.id in self._works:
            self._forgive([job.id])
        work = self._work(job)
        cancelled = asyncio.create_task(self._queue.until_cancelled(job.id, ended))
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
            await asyncio.wait({work}, timeout=self._stop_s)
            if cancelled.done():
                raise _cancelled()
            if stopping.done():
                log.info("job_handed_back")
                await self._put_back(job, token, 0.0)
            raise UnrecoverableError("job_timeout: the job took longer than allowed")
        finally:
            ended.set()
            work.cancel()
            stopping.cancel()
            others = watchers if not self._closing else watchers - {work}
            await asyncio.gather(*others, return_exceptions=True)

    def _work(self, job: Job) -> asyncio.Task[dict[str, Any]]:
        """The task that runs the handler on the job. There is only one: if Redis hangs for longer
        than the lock lasts, BullMQ may give this worker a job that it is still working on."""
        if (work := self._works.get(job.id)) is None:
            work = self._works[job.id] = asyncio.create_task(self._run(job))
            work.add_done_callback(lambda _: self._works.pop(job.id))
        return work

    async def _run(self, job: Job) -> dict[str, Any]:
        await spare_workers(job, self._options.lock_s)
        return await self._handler(ActiveJob(job, self._queue))

    async def _outcome(
        self, job: Job, token: str, work: asyncio.Task[dict[str, Any]]
    ) -> dict[str, Any]:
        if work.cancelled():  # by the earlier `_handle` of the same job
            await self._put_back(job, token, 0.0)
        try:
            return work.result()
        except Later as later:
            await self._put_back(job, token, later.delay_s)
        except UnrecoverableError:
            raise
        except Exception as fault:
            await self._failed_attempt(job, token, fault)
        raise AssertionError("unreachable")

    async def _failed_attempt(self, job: Job, token: str, fault: Exception) -> NoReturn:
        """Lets the job wait, or raises what makes BullMQ count the attempt or end the job."""
        error = as_error(fault)
        if error is None:
            log.error("job_crashed", exc_info=fault)
            error = EchoStreamError("the job could not be processed")
        # Whoever is told that it is being stopped must not see it wait for minutes.
        if error.fault != "input" and await self._queue.is_cancelled(job.id):
            raise _cancelled() from fault
        if error.fault == "ours":
            await self._wait(job, token, error)
        log.warning("job_failed", code=error.code, reason=str(error))
        kind = UnrecoverableError if error.fault == "input" else RuntimeError
        raise kind(failure(error)) from fault

    async def _wait(self, job: Job, token: str, error: EchoStreamError) -> NoReturn:
        """Puts the job back with a growing delay. Ends it if it has waited for too long."""
        self.faults += 1
        now_s = time.time()
        # With the worker's own connection, which waits while Redis is away.
        client: Any = job.backend.conn
        waits = Waits.load(*await client.hmget(job.backend.toKey(job.id), Waits.FIELDS))
        pause_s = self._options.patience.pause_s(waits, now_s)
        if pause_s is None:
            log.error("job_waited_in_vain", code=error.code, reason=str(error), waits=waits.count)
            raise UnrecoverableError(failure(error)) from error
        log.warning("job_waits", code=error.code, reason=str(error), again_in_s=pause_s)
        # What waits for us has not killed its worker this time.
        fields = {"failedReason": failure(error), "stc": 0, **waits.one_more(now_s).dump()}
        options = {"skipAttempt": True, "fieldsToUpdate": fields}
        moment, delay = round(now_s * 1000), round(pause_s * 1000)
        await job.backend.moveToDelayed(job.id, moment, delay, token, options)
        self._on_retry(job.id)
        raise DelayedError

    async def _put_back(self, job: Job, token: str, delay_s: float) -> NoReturn:
        """Puts the job back into the queue; the attempt does not count."""
        await job.moveToDelayed(round((time.time() + delay_s) * 1000), token)
        raise DelayedError

    def _failed(self, job: Job, error: Exception) -> None:
        is_final = isinstance(error, UnrecoverableError)
        if is_final or job.attemptsMade >= (job.opts.get("attempts") or 1):
            code, _message = read_failure(str(error))
            self._ended(job, code)
        else:
            self._on_retry(job.id)

    def _ended(self, job: Job, error: str | None) -> None:
        self._afterwards(self._on_end(JobEnd(job.id, data_of(job), error)))
        self._afterwards(self._queue.forget_so_far(job.id))

    def _forgive(self, job_ids: list[str]) -> None:
        """These jobs have been taken from us although we live: Redis was away, or we were slow."""
        self._afterwards(self._queue.forgive_stalls(job_ids))

    def _erred(self, error: Exception, job: Job | None = None) -> None:
        log.warning("worker_error", reason=repr(error))
        if job is not None:
            self._afterwards(self._look_again(job))

    async def _look_again(self, job: Job) -> None:
        """Checks whether the job has ended although its end was reported as an error: Redis may
        have stored the end and lost the connection before it answered."""
        with suppress(JobNotFound, QueueUnavailable):
            status = await self._queue.status(job.id)
            if status.has_ended:
                await self._on_end(JobEnd(job.id, data_of(job), status.error))

    def _afterwards(self, what: Coroutine[Any, Any, None]) -> None:
        """Runs `what` in a task, because BullMQ's listeners are not coroutines."""
        task = asyncio.ensure_future(what)
        self._after.add(task)
        task.add_done_callback(self._after.discard)


def _cancelled() -> UnrecoverableError:
    return UnrecoverableError(f"{CANCELLED}: the job was cancelled")
