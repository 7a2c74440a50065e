"""Jobs that have cost several workers, and may be what kills them.

Only for workers, since it cannot be imported without BullMQ.
"""

import asyncio
from typing import Any

from bullmq import Job, UnrecoverableError

from echostream.jobs.status import STALLED

MOST_CRASHES = 1
NEVER = 1_000_000
"""BullMQ's own limit: it would count an outage of Redis after a crash as a second crash, and fail
the job before its worker, which lives, can object."""


async def spare_workers(job: Job, lock_s: float) -> None:
    """Raises UnrecoverableError if the job has cost more than `MOST_CRASHES` workers.

    Before that it waits for `lock_s`. A worker that lives but has lost the job, because Redis was
    away or the machine slow, notices as it renews the job's lock, and sets the count back.
    """
    if job.stalledCounter <= MOST_CRASHES:
        return
    await asyncio.sleep(lock_s)
    client: Any = job.backend.conn
    if int(await client.hget(job.backend.toKey(job.id), "stc") or 0) > MOST_CRASHES:
        raise UnrecoverableError(": ".join(STALLED))
