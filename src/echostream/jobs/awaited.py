"""Jobs of whose end somebody must be told, however many workers die.

BullMQ records the end of a job and nothing else in one step, so a worker that dies right after it
cannot tell anybody. Therefore the job's id is in a set before the job ends, and leaves it once the
message is in the queue of deliveries. Any worker finds jobs that have ended and are still there.
"""

from collections.abc import Callable
from typing import Any

from echostream.jobs.connection import available
from echostream.jobs.status import JobStatus

_BATCH = 500


def delivery_id(status: JobStatus) -> str:
    """The id of the message about the end of a job. A job that is tried again ends again."""
    return f"{status.job_id}-webhook-{round((status.finished_s or 0.0) * 1000)}"


class AwaitedEnds:
    """The set of one queue. Raises QueueUnavailable as `JobQueue` does."""

    def __init__(self, redis: Any, key_of: Callable[[str], str]) -> None:
        """`redis` is a client of ours, and `key_of` gives the queue's key for a name."""
        self._redis = redis
        self._key_of = key_of
        self._key = key_of("awaited:ends")

    async def add(self, job_id: str) -> None:
        async with available():
            await self._redis.sadd(self._key, job_id)

    async def discard(self, job_id: str) -> None:
        async with available():
            await self._redis.srem(self._key, job_id)

    async def ended(self) -> list[str]:
        """Those that have ended; Redis itself looks for them."""
        found: list[str] = []
        async with available():
            for state in ("completed", "failed"):
                found += await self._redis.zinter([self._key, self._key_of(state)])
        return found

    async def forget_missing(self) -> None:
        """Removes jobs that no longer exist, for instance because another program removed them."""
        async with available():
            job_ids = [job_id async for job_id in self._redis.sscan_iter(self._key, count=_BATCH)]
        for job_id in job_ids:
            async with available():
                if not await self._redis.exists(self._key_of(job_id)):
                    await self._redis.srem(self._key, job_id)
