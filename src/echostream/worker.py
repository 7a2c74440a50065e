"""The queue's worker process: takes jobs, runs them through the pipeline, tells how they go."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from echostream.domain import Progress
from echostream.engine.client import RemoteEngine
from echostream.engine.process import OwnEngine
from echostream.errors import EchoStreamError, InvalidRequest, JobNotFound, WebhookFailed
from echostream.job_events import JobAnnouncer
from echostream.jobs import ActiveJob, JobQueue, JobWorker, Later, Permanent, WorkerOptions
from echostream.lifeline import on_parent_end
from echostream.pipeline import Pipeline, Source, Url, build_pipeline
from echostream.results import StoredResult
from echostream.schema import JobData
from echostream.settings import Settings
from echostream.storage import Storage
from echostream.webhooks import Event, WebhookSender
from echostream.worker_metrics import WorkerMetrics
from echostream.worker_progress import told

log = structlog.get_logger(__name__)

_SWEEP_EVERY_S = 600.0
_ORPHAN_AFTER_S = 3600.0
_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S
_WEBHOOK_ATTEMPTS = 12
"""With five seconds that double: the last one is about six hours after the first."""
_WEBHOOK_BACKOFF_MS = 5000
_WEBHOOK_CONCURRENCY = 8
_NOT_ENDED_S = 0.25
"""A webhook is queued just before its job ends, and looks again after this."""


class JobRunner:
    """What a worker does with a job. Every step may be done twice: delivery is at least once."""

    def __init__(
        self,
        pipeline: Pipeline,
        storage: Storage,
        webhooks: JobQueue,
        announcer: JobAnnouncer,
        metrics: WorkerMetrics,
    ) -> None:
        self._pipeline = pipeline
        self._storage = storage
        self._webhooks = webhooks
        self._announcer = announcer
        self._metrics = metrics

    async def handle(self, job: ActiveJob) -> dict[str, Any]:
        """Do the job and keep its result; gives a reference to it."""
        data = _read(job)
        # A worker that died between keeping the result and saying so has left it here.
        if await self._storage.read_result(job.job_id) is None:
            self._metrics.waited(job.waited_s)
            started = time.monotonic()
            async with told(job, self._announcer) as progress:
                stored = await self._run(data, progress)
            await self._storage.write_result(job.job_id, stored.dump())
            self._metrics.ran(time.monotonic() - started)
        # Already now: when the queue has heard of the end, nobody may be left to do it.
        await self._settle(job.job_id, job.data)
        return {"result": f"results/{job.job_id}.json"}

    async def _run(self, data: JobData, progress: Progress) -> StoredResult:
        async with self._source(data) as source:
            if data.is_finalize:
                result = await self._pipeline.finalize(
                    data.transcript or "",
                    source,
                    data.options,
                    audio=data.audio_options,
                    progress=progress,
                )
            elif source is None:
                raise InvalidRequest("the job has neither audio nor audioUrl")
            else:
                result = await self._pipeline.run(
                    source,
                    data.options,
                    audio=data.audio_options,
                    insights=data.insights,
                    progress=progress,
                )
        self._metrics.transcribed(result.transcript)
        return StoredResult(
            result.transcript,
            result.insights,
            result.cached,
            data.audio_id,
            with_words=data.word_timestamps or data.is_finalize,
        )

    @asynccontextmanager
    async def _source(self, data: JobData) -> AsyncIterator[Source | None]:
        if data.audio is not None:
            async with self._storage.staged(data.audio) as file:
                yield file
        else:
            yield Url(data.audio_url) if data.audio_url else None

    async def ended(self, job_id: str, data: dict[str, Any], completed: bool) -> None:
        """When a job has ended for good."""
        self._metrics.ended(completed)
        await self._announcer.ended(job_id)
        await self._settle(job_id, data)

    async def _settle(self, job_id: str, data: dict[str, Any]) -> None:
        """What follows the end of a job: its audio goes, its webhook is queued."""
        try:
            if isinstance(url := data.get("callbackUrl"), str):
                await self._webhooks.add(
                    f"{job_id}-webhook",
                    "deliver",
                    {"jobId": job_id, "url": url},
                    attempts=_WEBHOOK_ATTEMPTS,
                    backoff_ms=_WEBHOOK_BACKOFF_MS,
                )
            if isinstance(audio := data.get("audio"), str):
                await self._storage.unstage(audio)
        except EchoStreamError as error:
            log.error("job_end_incomplete", job_id=job_id, reason=str(error))


def _read(job: ActiveJob) -> JobData:
    try:
        return JobData.model_validate(job.data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Permanent(f"{InvalidRequest.code}: {where}: {first['msg']}") from error


class WebhookRunner:
    """Delivers what `JobRunner.ended` has queued. A delivery outlives the worker that queued it."""

    def __init__(
        self, jobs: JobQueue, storage: Storage, sender: WebhookSender, metrics: WorkerMetrics
    ) -> None:
        self._jobs = jobs
        self._storage = storage
        self._sender = sender
        self._metrics = metrics

    async def handle(self, job: ActiveJob) -> dict[str, Any]:
        """Send one message; raises WebhookFailed, and the queue tries again later."""
        job_id, url = str(job.data["jobId"]), str(job.data["url"])
        try:
            status = await self._jobs.status(job_id)
        except JobNotFound:
            return {"skipped": "the job has been removed"}
        if status.state not in ("completed", "failed"):
            raise Later(_NOT_ENDED_S)
        data: dict[str, Any] = {"jobId": job_id, "state": status.state}
        if status.state == "completed":
            stored = StoredResult.load(await self._storage.read_result(job_id) or b"")
            data["result"] = stored.summary() if stored else None
            event: Event = "job.completed"
        else:
            data |= {"error": status.error, "message": status.message}
            event = "job.failed"
        ended_at = datetime.fromtimestamp(status.finished_s or time.time(), UTC)
        try:
            answered = await self._sender.send(
                url, message_id=job.job_id, event=event, data=data, occurred_at=ended_at
            )
        except WebhookFailed as error:
            # A receiver that names a time is asked again then, but not for ever.
            if error.retryable and error.retry_after_s and job.waited_s < _DAY_S:
                raise Later(min(error.retry_after_s, _HOUR_S)) from error
            raise
        return {"status": answered}

    async def ended(self, _job_id: str, _data: dict[str, Any], completed: bool) -> None:
        """Count the deliveries that were given up."""
        if not completed:
            self._metrics.webhook_failures.inc()


async def run_worker(
    settings: Settings,
    *,
    until: asyncio.Event,
    make_pipeline: Callable[[Settings], Pipeline],
) -> None:
    """Work on the queue until `until` is set, then finish or hand back. Raises what makes going on
    impossible; a Redis that is away does not, it is waited for."""
    storage = Storage(settings.storage_url)
    try:
        await storage.check()  # rather than to find out when the first result is to be kept
    except EchoStreamError as error:
        raise type(error)(f"STORAGE_URL: {error}") from error
    pipeline = make_pipeline(settings)
    await pipeline.start()
    metrics = WorkerMetrics(settings)
    jobs = JobQueue(settings.queue_name, settings.redis_url, retention_s=settings.job_retention_s)
    webhooks = JobQueue(
        settings.webhook_queue_name, settings.redis_url, retention_s=settings.job_retention_s
    )
    sender = WebhookSender(settings.webhook_secret, allow_private=settings.allow_private_urls)
    announcer = JobAnnouncer(settings.redis_url, settings.queue_name)
    runner = JobRunner(pipeline, storage, webhooks, announcer, metrics)
    deliverer = WebhookRunner(jobs, storage, sender, metrics)
    workers = [
        JobWorker(
            jobs,
            settings.redis_url,
            runner.handle,
            WorkerOptions(
                concurrency=settings.worker_concurrency,
                lock_s=settings.job_lock_s,
                stalled_check_s=settings.job_stalled_check_s,
                time_limit_s=settings.job_timeout_s,
            ),
            on_end=runner.ended,
            on_stalled=metrics.on_stalled,
            on_retry=metrics.on_retry,
        ),
        JobWorker(
            webhooks,
            settings.redis_url,
            deliverer.handle,
            WorkerOptions(
                concurrency=_WEBHOOK_CONCURRENCY,
                lock_s=settings.job_lock_s,
                stalled_check_s=settings.job_stalled_check_s,
            ),
            on_end=deliverer.ended,
        ),
    ]
    metrics.watch_busy(lambda: workers[0].busy / settings.worker_concurrency)
    running = [asyncio.create_task(worker.run()) for worker in workers]
    running.append(asyncio.create_task(_sweep(storage, jobs)))
    stopping: asyncio.Task[Any] = asyncio.create_task(until.wait())
    try:
        await asyncio.wait({stopping, *running}, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done():
                task.result()  # raises what ended it
    finally:
        log.info("worker_stopping", grace_s=settings.shutdown_grace_s)
        await asyncio.gather(*(worker.close(settings.shutdown_grace_s) for worker in workers))
        for task in (*running, stopping):
            task.cancel()
        await asyncio.gather(*running, stopping, return_exceptions=True)
        await pipeline.aclose()
        await asyncio.gather(jobs.aclose(), webhooks.aclose(), announcer.aclose())


async def _sweep(storage: Storage, jobs: JobQueue) -> None:
    """Remove audio and results that no job owns: what a crash, or retention, has left."""
    while True:
        await asyncio.sleep(_SWEEP_EVERY_S)
        try:
            removed = await storage.sweep(keep=jobs.exists, older_than_s=_ORPHAN_AFTER_S)
        except EchoStreamError as error:
            log.warning("sweep_failed", reason=str(error))
        else:
            if removed:
                log.info("swept", removed=removed)


def main(
    settings: Settings,
    *,
    lifeline: bool = False,
    engine: Path | None = None,
    make_pipeline: Callable[[Settings], Pipeline] | None = None,
) -> int:
    """Run a worker until SIGTERM or SIGINT; the exit status. With `lifeline` the end of stdin stops
    it too, so that a worker never outlives the API that started it. It shares the engine at the
    socket `engine`, or has one of its own."""

    def with_engine(settings: Settings) -> Pipeline:
        return build_pipeline(settings, RemoteEngine(engine) if engine else OwnEngine())

    try:
        asyncio.run(_main(settings, lifeline, make_pipeline or with_engine))
    except EchoStreamError as error:
        log.error("worker_failed", code=error.code, reason=str(error))
        return 1
    except Exception as error:
        log.error("worker_crashed", exc_info=error)
        return 1
    return 0


async def _main(
    settings: Settings, lifeline: bool, make_pipeline: Callable[[Settings], Pipeline]
) -> None:
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, until.set)
    if lifeline:
        on_parent_end(lambda: loop.call_soon_threadsafe(until.set))
    await run_worker(settings, until=until, make_pipeline=make_pipeline)
