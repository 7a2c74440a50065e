"""Removes what remains in the storage of jobs: after crashes, after a storage that was away at the
end of a job, and of jobs that are no longer kept."""

import asyncio

import structlog

from echostream.errors import EchoStreamError, JobNotFound
from echostream.jobs import JobQueue
from echostream.storage import Storage

log = structlog.get_logger(__name__)

_EVERY_S = 600.0
_AFTER_S = 3600.0


async def sweep(storage: Storage, jobs: JobQueue, *, older_than_s: float) -> int:
    """Removes audio that no job needs any more and results without a job, if they are so old.
    Returns how many files were removed. Raises QueueUnavailable and StorageUnavailable."""

    async def needs_audio(job_id: str) -> bool:
        try:
            return (await jobs.status(job_id)).needs_audio
        except JobNotFound:
            return False

    await jobs.awaited.forget_missing()
    return await storage.sweep(
        keep_audio=needs_audio, keep_result=jobs.exists, older_than_s=older_than_s
    )


async def sweep_regularly(storage: Storage, jobs: JobQueue) -> None:
    """Sweeps every ten minutes until cancelled."""
    while True:
        await asyncio.sleep(_EVERY_S)
        try:
            removed = await sweep(storage, jobs, older_than_s=_AFTER_S)
        except EchoStreamError as error:
            log.warning("sweep_failed", reason=str(error))
        else:
            if removed:
                log.info("swept", removed=removed)
