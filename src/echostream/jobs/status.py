"""A job as it is now, read from BullMQ's own record of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from echostream.errors import EchoStreamError
from echostream.jobs.faults import is_audio_over
from echostream.jobs.so_far import SoFar

if TYPE_CHECKING:
    from bullmq import Job

JobState = Literal["waiting", "active", "completed", "failed", "delayed"]
STATES: tuple[JobState, ...] = ("active", "waiting", "delayed", "completed", "failed")

OWNER = "tokenName"
"""Field of a job's data."""
# BullMQ's states by what clients see. Only other programs add jobs with a priority or children.
BULLMQ_STATES: dict[JobState, tuple[str, ...]] = {
    state: (state, "prioritized", "waiting-children") if state == "waiting" else (state,)
    for state in STATES
}
_SHOWN_AS = {each: state for state, names in BULLMQ_STATES.items() for each in names}


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it is now. `result` is what its handler returned; `error` is the code, with its
    `message`, of why it failed or, if it has not ended, of why its latest attempt did.

    Times are seconds since the epoch, None if they have not been reached. `retry_s` is when a
    delayed job is tried again, `ahead` the number of jobs that come before one that waits, and
    `so_far` is set while the job is active; none of them is in lists.
    """

    job_id: str
    state: JobState
    progress: int
    data: dict[str, Any]
    result: dict[str, Any] | None
    error: str | None
    message: str | None
    attempts: int
    created_s: float
    started_s: float | None
    finished_s: float | None
    retry_s: float | None = None
    so_far: SoFar | None = None
    ahead: int | None = None

    @property
    def owner(self) -> object:
        """The name of the client that has added the job. None for nobody's."""
        return self.data.get(OWNER)

    @property
    def has_ended(self) -> bool:
        return self.state in ("completed", "failed")

    @property
    def needs_audio(self) -> bool:
        """Whether its audio may still be read: it has not ended, or may be tried again."""
        return not (self.has_ended and is_audio_over(self.error))


def shown_state(state: str) -> JobState:
    """Returns the state that clients see for one of BullMQ's."""
    return _SHOWN_AS[state]


def status_of(job: "Job", state: JobState) -> JobStatus:
    """Returns the status of a job that BullMQ has in this state."""
    error = message = None
    if state == "failed" or (state != "completed" and job.failedReason):
        error, message = read_failure(job.failedReason or "")
    return JobStatus(
        job_id=job.id,
        state=state,
        progress=job.progress if isinstance(job.progress, int) else 0,
        data=data_of(job),
        result=job.returnvalue if isinstance(job.returnvalue, dict) else None,
        error=error,
        message=message,
        attempts=job.attemptsMade,
        created_s=job.timestamp / 1000,
        started_s=job.processedOn / 1000 if job.processedOn else None,
        finished_s=job.finishedOn / 1000 if job.finishedOn else None,
    )


def data_of(job: "Job") -> dict[str, Any]:
    """The job's data. Jobs added by other programs may have data of any type."""
    return job.data if isinstance(job.data, dict) else {}


STALLED = ("job_stalled", "the job's worker crashed or was lost more than once")


def failure(error: EchoStreamError) -> str:
    """An error as BullMQ's failedReason, which is one string."""
    return f"{error.code}: {error}"


def read_failure(reason: str) -> tuple[str, str]:
    """Code and message of a failedReason, including those that BullMQ or other workers write."""
    code, colon, message = reason.partition(": ")
    if colon and code.replace("_", "").isalpha() and code.islower():
        return code, message
    if "stalled" in reason:
        return STALLED
    return "process_failed", "the job could not be processed"
