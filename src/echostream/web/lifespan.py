"""Opens what the API works with when the app starts, and closes it when the app ends."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from echostream import traces
from echostream.children import WorkerChild, worker_command
from echostream.engine import Engine
from echostream.jobs import JobQueue
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.storage import Storage
from echostream.streaming import Limits, LiveSessions
from echostream.web.deps import Jobs, Services
from echostream.web.engine_io import SocketServer
from echostream.web.job_rooms import JobRooms
from echostream.web.keyring import Keyring
from echostream.web.metrics import Metrics
from echostream.web.peers import Peers
from echostream.web.rates import Rates
from echostream.web.realtime.connections import Connections
from echostream.web.sockets import end_revoked, serve_events

log = structlog.get_logger(__name__)


@asynccontextmanager
async def running_services(
    settings: Settings, pipeline: Pipeline, sockets: SocketServer, peers: Peers | None
) -> AsyncIterator[Services]:
    """Yields what requests and events share. Starts the pipeline and closes it at the end."""
    keyring = Keyring(settings)
    abort = asyncio.Event()
    traces.start(settings.otel_exporter_otlp_endpoint, "echostream-api")
    await pipeline.start()
    try:
        job_rooms = JobRooms(sockets, abort)
        async with _jobs(settings, pipeline.engine, job_rooms) as jobs:
            metrics = Metrics(pipeline, jobs.queue if jobs else None)
            if keyring.is_open:
                log.warning("api_open", hint="set API_BEARER_TOKEN to require a token")
            realtime = Connections()
            live = _live_sessions(settings, pipeline, metrics, peers)
            metrics.watch_live(
                lambda: live.places + len(realtime),
                lambda: len(live.active) - len(live.speaking),
            )
            services = Services(
                settings=settings,
                keyring=keyring,
                pipeline=pipeline,
                metrics=metrics,
                live=live,
                realtime=realtime,
                sockets=sockets,
                job_rooms=job_rooms,
                rates=_rates(settings),
                abort=abort,
                jobs=jobs,
                peers=peers,
            )
            serve_events(services)
            watching = asyncio.create_task(keyring.watch(lambda: end_revoked(services)))
            yield services
            watching.cancel()
            await services.live.aclose()
            await sockets.shutdown()
    finally:
        await asyncio.gather(pipeline.aclose(), traces.flush())


def _rates(settings: Settings) -> Rates:
    limit = settings.rate_limit
    return Rates(None if limit is None else settings.share_of(limit))


def _live_sessions(
    settings: Settings, pipeline: Pipeline, metrics: Metrics, peers: Peers | None
) -> LiveSessions:
    limits = Limits(
        sessions=settings.live_sessions,
        audio_s=settings.max_audio_seconds,
        resume_s=settings.live_resume_s,
        idle_s=settings.live_idle_s,
        kept_s=settings.live_audio_kept_s,
    )
    return LiveSessions(
        pipeline.engine,
        pipeline.analyse,
        pipeline.speakers,
        limits,
        vocabulary=settings.vocabulary,
        new_secret=peers.new_id if peers else secrets.token_urlsafe,
        observe=metrics.observe_live,
    )


@asynccontextmanager
async def _jobs(
    settings: Settings, engine: Engine, job_rooms: JobRooms
) -> AsyncIterator[Jobs | None]:
    """Yields queues and storage, and starts a worker if RUN_WORKER; None without USE_QUEUE."""
    if not settings.use_queue:
        yield None
        return
    queue, webhooks = (
        JobQueue(name, settings.redis_url, retention_s=settings.job_retention_s)
        for name in (settings.queue_name, settings.webhook_queue_name)
    )
    worker = WorkerChild(worker_command(engine.socket), stop_s=settings.shutdown_grace_s)
    jobs = Jobs(queue, webhooks, Storage(settings.storage_url), worker)
    job_rooms.open(settings, queue, jobs.storage)
    if settings.run_worker:
        worker.start()
    try:
        yield jobs
    finally:
        await job_rooms.aclose()
        await worker.aclose()
        for each in (queue, webhooks):
            await each.aclose()
