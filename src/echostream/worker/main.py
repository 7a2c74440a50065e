"""Starts, runs and stops a worker."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from echostream import traces
from echostream.building import build_pipeline
from echostream.engine.client import RemoteEngine
from echostream.engine.process import OwnEngine
from echostream.errors import EchoStreamError, QueueUnavailable
from echostream.job_events import JobAnnouncer
from echostream.jobs import JobQueue
from echostream.jobs.faults import Patience
from echostream.jobs.waking import Waker
from echostream.jobs.worker import JobWorker, WorkerOptions
from echostream.lifeline import Grace, leave_within, on_parent_end
from echostream.memory import share_heaps
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.storage import Storage
from echostream.webhooks import WebhookSender
from echostream.worker.deliveries import WebhookRunner
from echostream.worker.metrics import WorkerMetrics
from echostream.worker.outbox import Outbox
from echostream.worker.runner import JobRunner
from echostream.worker.sweep import sweep_regularly

log = structlog.get_logger(__name__)

_WEBHOOK_CONCURRENCY = 8


async def run_worker(
    settings: Settings,
    *,
    until: asyncio.Event,
    make_pipeline: Callable[[Settings], Pipeline],
) -> None:
    """Works on the queue until `until` is set, then finishes its jobs or hands them back. Raises an
    error if it cannot continue; if Redis cannot be reached, it waits."""
    storage = Storage(settings.storage_url)
    try:
        await storage.check()  # so that a wrong setting is noticed before the first result
    except EchoStreamError as error:
        raise type(error)(f"STORAGE_URL: {error}") from error
    metrics = WorkerMetrics(settings)
    pipeline = make_pipeline(settings)
    jobs = JobQueue(settings.queue_name, settings.redis_url, retention_s=settings.job_retention_s)
    webhooks = JobQueue(
        settings.webhook_queue_name, settings.redis_url, retention_s=settings.job_retention_s
    )
    sender = WebhookSender(settings.webhook_secret, allow_private=settings.allow_private_urls)
    announcer = JobAnnouncer(settings.redis_url, settings.queue_name)
    outbox = Outbox(jobs, webhooks)
    runner = JobRunner(pipeline, storage, outbox, announcer, metrics)
    deliverer = WebhookRunner(jobs, storage, sender, metrics)
    patience = Patience(settings.job_patience_s)
    workers = [
        JobWorker(
            jobs,
            settings.redis_url,
            runner.handle,
            WorkerOptions(
                concurrency=settings.jobs_at_once,
                lock_s=settings.job_lock_s,
                stalled_check_s=settings.job_stalled_check_s,
                time_limit_s=settings.job_timeout_s,
                patience=patience,
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
                patience=patience,
            ),
            on_end=deliverer.ended,
        ),
    ]
    metrics.watch_busy(lambda: workers[0].busy / settings.jobs_at_once)
    running = [asyncio.create_task(worker.run()) for worker in workers]
    for queue, worker in zip((jobs, webhooks), workers, strict=True):
        running.append(asyncio.create_task(_waker_of(queue, worker).run()))
    running.append(asyncio.create_task(outbox.run(settings.job_stalled_check_s)))
    running.append(asyncio.create_task(sweep_regularly(storage, jobs)))
    stopping: asyncio.Task[Any] = asyncio.create_task(until.wait())
    traces.start(settings.otel_exporter_otlp_endpoint, "echostream-worker")
    try:
        await _warn_of_redis(jobs)
        await pipeline.start()
        await asyncio.wait({stopping, *running}, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done():
                task.result()  # raises its error, if any
    finally:
        grace = Grace(settings.shutdown_grace_s)
        log.info("worker_stopping", grace_s=grace.whole_s)
        await asyncio.gather(*(worker.close(grace) for worker in workers))
        outbox.close()
        for task in (*running, stopping):
            task.cancel()
        await asyncio.gather(*running, stopping, return_exceptions=True)
        await pipeline.aclose()
        await asyncio.gather(jobs.aclose(), webhooks.aclose(), announcer.aclose(), traces.flush())


def _waker_of(queue: JobQueue, worker: JobWorker) -> Waker:
    return Waker(queue, lambda: worker.faults)


async def _warn_of_redis(jobs: JobQueue) -> None:
    with suppress(QueueUnavailable):  # the workers wait for it, and complain
        for weakness in await jobs.weaknesses():
            log.warning("redis_may_lose_jobs", hint=weakness)


def main(
    settings: Settings,
    *,
    lifeline: bool = False,
    engine: Path | None = None,
    make_pipeline: Callable[[Settings], Pipeline] | None = None,
) -> int:
    """Runs a worker until SIGTERM or SIGINT; returns the exit status. With `lifeline`, the end of
    stdin also stops it, so that a worker never outlives the API that started it. It uses the engine
    at the socket `engine`, or starts its own. If it still runs when its grace is over, it leaves at
    once; jobs that it could not hand back return to the queue when their locks expire."""

    def with_engine(settings: Settings) -> Pipeline:
        # Accepted jobs must not be refused: if the API is busy, they wait.
        shared = RemoteEngine(engine) if engine else OwnEngine()
        return build_pipeline(settings, shared, patient=True)

    share_heaps()
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
    settings: Settings,
    lifeline: bool,
    make_pipeline: Callable[[Settings], Pipeline],
) -> None:
    until = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        leave_within(Grace(settings.shutdown_grace_s).leave_s)
        until.set()

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)
    if lifeline:
        on_parent_end(lambda: loop.call_soon_threadsafe(stop))
    await run_worker(settings, until=until, make_pipeline=make_pipeline)
