"""Whose fault it is that a job failed, and how long a job waits for faults that are ours."""

from collections.abc import Iterator
from dataclasses import dataclass

from echostream import redis_client
from echostream.errors import EchoStreamError, StorageUnavailable

CANCELLED = "job_cancelled"
"""The code of jobs that were cancelled while they were active."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How often a job has waited because of faults that are ours, and since when, in seconds since
    the epoch. It is part of the job's hash in Redis, where BullMQ leaves unknown fields alone."""

    FIELDS = ("echostream:waits", "echostream:waitsSince")

    count: int = 0
    since_s: float | None = None

    @classmethod
    def load(cls, count: str | None, since_ms: str | None) -> "Waits":
        """Reads the fields, which are None for a job that has not waited."""
        if count is None or since_ms is None:
            return cls()
        return cls(int(count), int(since_ms) / 1000)

    def dump(self) -> dict[str, str]:
        since_ms = round((self.since_s or 0.0) * 1000)
        return dict(zip(self.FIELDS, (str(self.count), str(since_ms)), strict=True))

    def one_more(self, now_s: float) -> "Waits":
        return Waits(self.count + 1, now_s if self.since_s is None else self.since_s)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a job waits in all, and the first and the longest pause; each is twice the last."""

    in_all_s: float = 86_400.0
    first_s: float = 2.0
    longest_s: float = 600.0

    def pause_s(self, waits: Waits, now_s: float) -> float | None:
        """The next pause of a job that has waited so often; None if it has waited long enough."""
        if waits.since_s is not None and now_s - waits.since_s >= self.in_all_s:
            return None
        doublings = min(waits.count, 30)  # a float has room for no more than a thousand
        return float(min(self.longest_s, self.first_s * 2**doublings))


def as_error(fault: Exception) -> EchoStreamError | None:
    """What a handler raised, as an error with a code; None if nobody foresaw it."""
    if isinstance(fault, EchoStreamError):
        return fault
    # What a machine lacks: room on a disk, descriptors, a connection. But what took too long may
    # be the input's fault.
    if isinstance(fault, redis_client.faults()) and type(fault) is not TimeoutError:
        return StorageUnavailable("the worker's machine or a server it needs has a fault")
    return None


def is_audio_over(code: str | None) -> bool:
    """Whether nobody needs the audio of a job that has ended with this error or, if None, well:
    to try it again would be of no use, or nobody wants that."""
    return code is None or code == CANCELLED or code in _INPUT_CODES


def _all_errors(error: type[EchoStreamError]) -> Iterator[type[EchoStreamError]]:
    yield error
    for each in error.__subclasses__():
        yield from _all_errors(each)


_INPUT_CODES = {each.code for each in _all_errors(EchoStreamError) if each.fault == "input"}
