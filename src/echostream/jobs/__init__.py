"""Background jobs. The only package that knows BullMQ and its keys in Redis.

Names on the wire are those of BullMQ for Node, so that Node programs and Bull Board can read the
queue, add jobs and work on them. Audio and results are in the storage, not in jobs. The
consumer's side is in `jobs.worker`.
"""

from echostream.jobs.queue import JobQueue, new_job_id, no_such_job
from echostream.jobs.so_far import SoFar
from echostream.jobs.status import STATES, JobState, JobStatus

__all__ = [
    "STATES",
    "JobQueue",
    "JobState",
    "JobStatus",
    "SoFar",
    "new_job_id",
    "no_such_job",
]
