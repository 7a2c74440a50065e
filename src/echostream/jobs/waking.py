"""Jobs that wait for a fault of ours are tried before their time, to go on soon after it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from echostream.errors import JobNotFound, QueueUnavailable

log = structlog.get_logger(__name__)

_EVERY_S = 10.0
_MOST_AT_ONCE = 64


class Waiting(Protocol):
    """As much of a queue as this needs. Both raise QueueUnavailable, `retry` also JobNotFound."""

    async def waiting_for_us(self, turn_s: float) -> list[str]:
        """Jobs that wait for a fault of ours longer than `turn_s`, in the order of their time; none
        if another worker has taken this turn."""

    async def retry(self, job_id: str) -> object: ...


class Waker:
    """Tries one waiting job in each turn while the fault lasts, and twice as many in each turn from
    then on, so that what has just come back is not overrun.

    `faults` counts how often a job has met a fault of ours."""

    def __init__(
        self, queue: Waiting, faults: Callable[[], int], *, every_s: float = _EVERY_S
    ) -> None:
        self._queue = queue
        self._faults = faults
        self._every_s = every_s
        self._seen = faults()
        self._at_once = 1

    async def run(self) -> None:
        """Goes on until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.turn()
            except QueueUnavailable:  # the workers complain of it
                self._at_once = 1

    async def turn(self) -> None:
        """Raises QueueUnavailable."""
        waiting = await self._queue.waiting_for_us(self._every_s)
        seen, self._seen = self._seen, self._faults()
        if not waiting or self._seen != seen:
            self._at_once = 1
        for job_id in waiting[: self._at_once]:
            try:
                await self._queue.retry(job_id)
            except JobNotFound:
                continue
        if waiting:
            log.info("waiting_jobs_tried", jobs=min(self._at_once, len(waiting)), of=len(waiting))
        self._at_once = min(2 * self._at_once, _MOST_AT_ONCE)
