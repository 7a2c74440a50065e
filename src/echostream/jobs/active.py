"""A job that a worker has taken: what its handler may do with it, and how it ends."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from echostream import redis_client, traces
from echostream.jobs.queue import JobQueue
from echostream.jobs.so_far import SoFar
from echostream.jobs.status import data_of

if TYPE_CHECKING:
    from bullmq import Job


class ActiveJob:
    """A job that a worker is working on."""

    def __init__(self, job: "Job", queue: JobQueue) -> None:
        self._job = job
        self._queue = queue
        # Clients have seen the progress of an earlier attempt.
        self.progress = job.progress if isinstance(job.progress, int) else 0
        self.job_id: str = job.id
        self.name: str = job.name
        self.data = traces.without_carrier(data_of(job))

    async def tell_progress(self, percent: int) -> bool:
        """Stores the progress, 0 to 100, and returns whether it increased. It never decreases, not
        even in another attempt. If Redis cannot be reached, nothing is raised."""
        if percent <= self.progress:
            return False
        self.progress = percent
        with suppress(*redis_client.faults()):
            await self._job.updateProgress(percent)
        return True

    async def keep_so_far(self, so_far: SoFar, *, with_text: bool) -> bool:
        """Stores the partial result until the job ends; returns whether that worked. If Redis
        cannot be reached, nothing is raised."""
        return await self._queue.keep_so_far(self.job_id, so_far, with_text=with_text)

    @property
    def waited_s(self) -> float:
        """Time between adding the job and now."""
        return max(0.0, time.time() - float(self._job.timestamp) / 1000)


class Later(Exception):
    """Raised by a handler that cannot work yet. The job is repeated; the attempt does not count."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(f"again in {delay_s} s")
        self.delay_s = delay_s


@dataclass(frozen=True, slots=True)
class JobEnd:
    """`error` is the code of why the job failed; None if it completed."""

    job_id: str
    data: dict[str, Any]
    error: str | None

    @property
    def is_completed(self) -> bool:
        return self.error is None
