"""Background jobs. The only package that knows BullMQ and its keys in Redis.

Names on the wire are those of BullMQ for Node, so that Node programs and Bull Board can read the
queue, add jobs and work on them. Jobs are small: audio and results are in the storage.
"""

from echostream.jobs.queue import STATES, JobQueue, JobState, JobStatus, new_job_id
from echostream.jobs.so_far import SoFar
from echostream.jobs.worker import (
    ActiveJob,
    Handler,
    JobWorker,
    Later,
    WorkerOptions,
)

__all__ = [
    "STATES",
    "ActiveJob",
    "Handler",
    "JobQueue",
    "JobState",
    "JobStatus",
    "JobWorker",
    "Later",
    "SoFar",
    "WorkerOptions",
    "new_job_id",
]
