"""Webhook deliveries: one message to one receiver each."""

import time
from datetime import UTC, datetime
from typing import Any

from echostream.errors import JobNotFound
from echostream.jobs import JobQueue
from echostream.jobs.active import ActiveJob, JobEnd, Later
from echostream.results import StoredResult
from echostream.storage import Storage
from echostream.webhooks import Event, WebhookFailed, WebhookSender
from echostream.worker.metrics import WorkerMetrics

_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S


class WebhookRunner:
    """Delivers what `Outbox` has queued. A delivery survives the worker that queued it."""

    def __init__(
        self, jobs: JobQueue, storage: Storage, sender: WebhookSender, metrics: WorkerMetrics
    ) -> None:
        self._jobs = jobs
        self._storage = storage
        self._sender = sender
        self._metrics = metrics

    async def handle(self, job: ActiveJob) -> dict[str, Any]:
        """Sends one message. If it raises WebhookFailed, the queue tries again later."""
        job_id, url = str(job.data["jobId"]), str(job.data["url"])
        try:
            status = await self._jobs.status(job_id)
        except JobNotFound:
            return {"skipped": "the job has been removed"}
        if not status.has_ended or job.data.get("endedAt") not in (None, status.finished_s):
            return {"skipped": "the job was tried again, and its new end has its own message"}
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
            # If the receiver names a time, the next attempt is made then, for up to a day.
            if error.retry_after_s and job.waited_s < _DAY_S:
                raise Later(min(error.retry_after_s, _HOUR_S)) from error
            raise
        return {"status": answered}

    async def ended(self, end: JobEnd) -> None:
        """Counts deliveries that were given up."""
        if not end.is_completed:
            self._metrics.webhook_failures.inc()
