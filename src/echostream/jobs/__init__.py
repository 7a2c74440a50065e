"""Background jobs. The only package that knows BullMQ and its keys in Redis.

Names on the wire are Node BullMQ's, so that Node programs and Bull Board can read the queue, add
jobs to it and work on them. What is in a job is small: audio and results lie in the storage. The
consumer's side is in `jobs.worker`.
"""

from echostream.jobs.queue import STATES, JobQueue, JobState, JobStatus, new_job_id
from echostream.jobs.so_far import SoFar

__all__ = [
    "STATES",
    "JobQueue",
    "JobState",
    "JobStatus",
    "SoFar",
    "new_job_id",
]
