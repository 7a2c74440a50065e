"""Runs the pipeline on a job and stores the result."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from echostream.domain import Progress
from echostream.errors import EchoStreamError, InvalidRequest
from echostream.job_events import JobAnnouncer
from echostream.jobs.active import ActiveJob, JobEnd
from echostream.jobs.faults import is_audio_over
from echostream.options import JobData, validated
from echostream.pipeline import Pipeline
from echostream.results import StoredResult
from echostream.sources import Source, Url
from echostream.storage import Storage
from echostream.worker.metrics import WorkerMetrics
from echostream.worker.outbox import Outbox
from echostream.worker.progress import reporting

log = structlog.get_logger(__name__)


class JobRunner:
    """Works on jobs. Every step may happen twice, because the queue delivers at least once."""

    def __init__(
        self,
        pipeline: Pipeline,
        storage: Storage,
        outbox: Outbox,
        announcer: JobAnnouncer,
        metrics: WorkerMetrics,
    ) -> None:
        self._pipeline = pipeline
        self._storage = storage
        self._outbox = outbox
        self._announcer = announcer
        self._metrics = metrics

    async def handle(self, job: ActiveJob) -> dict[str, Any]:
        """Does the job, stores its result and returns a reference to it."""
        data = validated(JobData, job.data)
        if data.callback_url is not None:
            await self._outbox.expect(job.job_id)  # the API has, but other programs have not
        # A worker that died after storing the result, but before reporting it, has left it here.
        if await self._storage.read_result(job.job_id) is None:
            self._metrics.waited(job.waited_s)
            started = time.monotonic()
            async with reporting(job, self._announcer) as progress:
                stored = await self._run(data, progress)
            await self._storage.write_result(job.job_id, stored.dump())
            self._metrics.ran(time.monotonic() - started)
        # Done now, because this worker may die as soon as the queue knows that the job has ended.
        await self._unstage(job.job_id, job.data)
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

    async def ended(self, end: JobEnd) -> None:
        """Called when a job has ended, after its last attempt. The audio of a job that failed
        through no fault of its input stays, so that the job can be tried again."""
        self._metrics.ended(end.is_completed)
        await self._announcer.ended(end.job_id)
        if is_audio_over(end.error):
            await self._unstage(end.job_id, end.data)
        await self._outbox.post(end.job_id)

    async def _unstage(self, job_id: str, data: dict[str, Any]) -> None:
        """Removes the audio of a job. If that fails, it is left to the sweep."""
        if not isinstance(audio := data.get("audio"), str):
            return
        try:
            await self._storage.unstage(audio)
        except EchoStreamError as error:
            log.error("audio_not_removed", job_id=job_id, reason=str(error))
