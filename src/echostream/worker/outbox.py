"""Webhooks that are due: from a job that somebody awaits to a delivery in the queue of webhooks.

A job is in Redis' set of awaited jobs before it ends, and leaves it when its delivery is queued. So
whatever dies in between, a worker that looks there finds what is left to do. A delivery has the id
of its job and of that job's end, so that it is queued once, however many workers see the end.
"""

import asyncio
from contextlib import suppress

import structlog

from echostream.errors import EchoStreamError, JobNotFound
from echostream.jobs import JobQueue
from echostream.jobs.awaited import delivery_id

log = structlog.get_logger(__name__)

_ATTEMPTS = 12
"""Pauses start at five seconds and double: the last attempt is six hours after the first."""
_BACKOFF_MS = 5000


class Outbox:
    """Queues a delivery for each awaited job that has ended."""

    def __init__(self, jobs: JobQueue, webhooks: JobQueue) -> None:
        self._jobs = jobs
        self._webhooks = webhooks
        # An event ends `run`, because redis-py can swallow a cancellation.
        self._closing = asyncio.Event()

    async def expect(self, job_id: str) -> None:
        """Notes that somebody is to be told of the end of a job. Raises QueueUnavailable."""
        await self._jobs.awaited.add(job_id)

    async def post(self, job_id: str) -> None:
        """Queues the delivery about a job, if it has ended and somebody is to be told. If Redis
        cannot be reached, that remains to be done."""
        try:
            await self._post(job_id)
        except JobNotFound:
            log.info("webhook_of_a_removed_job", job_id=job_id)
        except EchoStreamError as error:
            log.warning("webhook_not_queued", job_id=job_id, reason=str(error))

    async def run(self, every_s: float) -> None:
        """Posts what others have left, again and again until closed."""
        while not self._closing.is_set():
            try:
                for job_id in await self._jobs.awaited.ended():
                    await self.post(job_id)
            except EchoStreamError as error:
                log.debug("outbox_unavailable", reason=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), every_s)

    def close(self) -> None:
        self._closing.set()

    async def _post(self, job_id: str) -> None:
        status = await self._jobs.status(job_id)
        if not status.has_ended:
            return  # it is tried again
        if isinstance(url := status.data.get("callbackUrl"), str):
            await self._webhooks.add(
                delivery_id(status),
                "deliver",
                {"jobId": job_id, "url": url, "endedAt": status.finished_s},
                attempts=_ATTEMPTS,
                backoff_ms=_BACKOFF_MS,
            )
        await self._jobs.awaited.discard(job_id)
