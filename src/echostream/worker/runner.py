"""Runs the pipeline on a job and stores the result."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from echostream.domain import Progress
from echostream.errors import EchoStreamError, InvalidRequest
from echostream.job_events import JobAnnouncer
from echostream.jobs import JobQueue
from echostream.jobs.worker import ActiveJob
from echostream.options import JobData, validated
from echostream.pipeline import Pipeline, Source, Url
from echostream.results import StoredResult
from echostream.storage import Storage
from echostream.worker.metrics import WorkerMetrics
from echostream.worker.progress import reporting

log = structlog.get_logger(__name__)

_WEBHOOK_ATTEMPTS = 12
"""Pauses start at five seconds and double: the last attempt is six hours after the first."""
_WEBHOOK_BACKOFF_MS = 5000


class JobRunner:
    """Works on jobs. Every step may happen twice, because the queue delivers at least once."""

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
        """Does the job, stores its result and returns a reference to it."""
        data = validated(JobData, job.data)
        # A worker that died after storing the result, but before reporting it, has left it here.
        if await self._storage.read_result(job.job_id) is None:
            self._metrics.waited(job.waited_s)
            started = time.monotonic()
            async with reporting(job, self._announcer) as progress:
                stored = await self._run(data, progress)
            await self._storage.write_result(job.job_id, stored.dump())
            self._metrics.ran(time.monotonic() - started)
        # Done now, because this worker may die as soon as the queue knows that the job has ended.
        await self._settle(job.job_id, job.data)
        return {"result": f"results/{job.job_id}.json"}

    async def _run(self, data: JobData, progress: Progress) -> StoredResult:
        speakers = data.speaker_options(by_default=self._pipeline.diarizes_by_default)
        async with self._source(data) as source:
            if data.is_finalize:
                result = await self._pipeline.finalize(
                    data.transcript or "",
                    source,
                    data.transcribe_options,
                    audio=data.audio_options,
                    speakers=speakers,
                    insights_options=data.insights_options,
                    progress=progress,
                )
            elif source is None:
                raise InvalidRequest("the job has neither audio nor audioUrl")
            else:
                result = await self._pipeline.run(
                    source,
                    data.transcribe_options,
                    audio=data.audio_options,
                    speakers=speakers,
                    insights=data.insights,
                    insights_options=data.insights_options,
                    progress=progress,
                )
        self._metrics.transcribed(result)
        return StoredResult(
            result.transcript.with_cautions(data.cautions),
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
        """Called when a job has ended, after its last attempt."""
        self._metrics.ended(completed)
        await self._announcer.ended(job_id)
        await self._settle(job_id, data)

    async def _settle(self, job_id: str, data: dict[str, Any]) -> None:
        """Queues the webhook of a finished job and removes its audio."""
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
