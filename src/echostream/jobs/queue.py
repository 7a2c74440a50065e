"""The producer's side of a queue: add jobs, read their status, cancel them."""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import Any

from echostream import redis_client, traces
from echostream.errors import JobNotFound
from echostream.extras import require
from echostream.jobs.awaited import AwaitedEnds
from echostream.jobs.connection import PREFIX, available
from echostream.jobs.faults import Waits
from echostream.jobs.so_far import SoFar
from echostream.jobs.status import (
    BULLMQ_STATES,
    STATES,
    JobState,
    JobStatus,
    shown_state,
    status_of,
)

_ATTEMPTS = 3
_BACKOFF_MS = 2000
_IDEMPOTENCY_S = 24 * 3600
_CANCEL_KEY_S = 24 * 3600
_CANCEL_LOOK_S = 0.5
_SO_FAR_KEY_S = 3600
"""After a worker dies, its text is kept this long. A live worker writes it again and again."""
_HINT_S = 1.0
"""How long storing a hint may take. Nothing depends on hints."""
_PROBE_MS = 1000
# Only if the job still exists: setting a field would make a new one.
_FORGIVE_STALLS = """
if redis.call("EXISTS", KEYS[1]) == 1 then redis.call("HSET", KEYS[1], "stc", 0) end
"""
_TICKS_A_MS = 4096
"""BullMQ's scores of delayed jobs are times in these units."""
_MOST_READ = 1000
_READ_AT_ONCE = 20
"""A job that was given a transcript has up to 16 MiB of it."""
_TEXT = "transcript"


def no_such_job(job_id: str) -> JobNotFound:
    return JobNotFound(f"there is no job {job_id!r}")


def new_job_id() -> str:
    """128 random bits, so that nobody can guess one id from another."""
    return f"job_{secrets.token_hex(16)}"


class JobQueue:
    """The producer's side of one queue. Every method raises QueueUnavailable within three seconds
    if Redis cannot be reached, unless it says otherwise."""

    def __init__(self, name: str, redis_url: str, *, retention_s: int) -> None:
        """Raises MissingExtra, and ValueError for options in the URL that are not known."""
        require("queue", "the job queue")
        from bullmq import Queue  # slow, and of no use to an API without a queue

        self.name = name
        self._retention = {"age": retention_s}
        # By default redis-py and BullMQ would retry for minutes.
        self._redis = redis_client.connect(
            redis_url, connect_s=1, answer_s=2, retries=2, pause_s=0.1, decode_responses=True
        )
        self._queue = Queue(name, {"connection": self._redis, "prefix": PREFIX})
        self.awaited = AwaitedEnds(self._redis, self._queue.toKey)

    async def ping(self) -> None:
        """Raises QueueUnavailable if Redis does not answer."""
        async with available():
            await self._redis.ping()

    async def check(self) -> None:
        """Raises QueueUnavailable, which says why, if Redis does not answer or refuses to write."""
        async with available():
            await self._redis.set(self._queue.toKey("probe:write"), "1", px=_PROBE_MS)

    async def weaknesses(self) -> list[str]:
        """Returns what may lose jobs in the way Redis is set up, each as a sentence."""
        async with available():
            return await redis_client.weaknesses(self._redis)

    async def id_for(self, idempotency_key: str | None, scope: str | None = None) -> str:
        """A new id, or the one that this key got earlier (within a day) in the same scope."""
        if idempotency_key is None:
            return new_job_id()
        # Hashed, because a key may be long or contain characters that Redis keys should not.
        digest = sha256(idempotency_key.encode()).hexdigest()
        key = ":".join(filter(None, (PREFIX, self.name, "idempotency", scope, digest)))
        async with available():
            await self._redis.set(key, new_job_id(), nx=True, ex=_IDEMPOTENCY_S)
            return str(await self._redis.get(key))

    async def add(
        self,
        job_id: str,
        name: str,
        data: dict[str, Any],
        *,
        attempts: int = _ATTEMPTS,
        backoff_ms: int = _BACKOFF_MS,
    ) -> None:
        """Adds a job. If the id exists already, nothing changes, so it is safe to try again."""
        options = {
            "jobId": job_id,
            "attempts": attempts,
            "backoff": {"type": "exponential", "delay": backoff_ms},
            "removeOnComplete": self._retention,
            "removeOnFail": self._retention,
        }
        with traces.span("enqueue", kind=traces.SpanKind.PRODUCER, queue=self.name, job_id=job_id):
            async with available():
                await self._queue.add(name, {**data, **traces.carrier()}, options)

    async def exists(self, job_id: str) -> bool:
        async with available():
            return bool(await self._redis.exists(self._queue.toKey(job_id)))

    async def status(self, job_id: str) -> JobStatus:
        """Raises JobNotFound."""
        async with available():
            # The state is read first, so that a finished job is never shown with older data.
            state: Any = await self._queue.getJobState(job_id)
            # The id may be the name of another key of the queue, which holds no job.
            job = await self._queue.getJob(job_id) if state != "unknown" else None
            if job is None:
                raise no_such_job(job_id)
            so_far = await self._so_far(job_id) if state == "active" else None
            if so_far == SoFar() and await self._queue.getJobState(job_id) != state:
                # It has ended since, and what had been done so far was forgotten.
                return await self.status(job_id)
            retry_s = await self._retry_s(job_id) if state == "delayed" else None
            ahead = await self._ahead(job_id) if state == "waiting" else None
        status = status_of(job, shown_state(state))
        return replace(status, so_far=so_far, retry_s=retry_s, ahead=ahead)

    async def _ahead(self, job_id: str) -> int | None:
        """How many jobs wait before this one; None if it does not wait any more. Workers take jobs
        from the list's right end."""
        waiting = self._queue.toKey("wait")
        place: Any = await self._redis.lpos(waiting, job_id, rank=-1)
        length: Any = await self._redis.llen(waiting)
        return None if place is None else max(0, length - 1 - place)

    async def page(
        self,
        states: tuple[JobState, ...],
        limit: int,
        cursor: str | None,
        shown: Callable[[JobStatus], bool] | None = None,
    ) -> tuple[list[JobStatus], str | None]:
        """Jobs, state by state and newest first, and the cursor of the next page or None.

        Their data lacks a transcript that was given. Jobs that change state between two pages may
        appear twice or not at all. With `shown` only those for which it is true; if they are few
        among many, a page may have less than `limit`.
        """
        places = [(state, name) for state in states for name in BULLMQ_STATES[state]]
        place, offset = _read_cursor(cursor, len(places))
        found: list[JobStatus] = []
        read = 0
        while place < len(places) and len(found) < limit and read < _MOST_READ:
            wanted = _READ_AT_ONCE if shown else min(_READ_AT_ONCE, limit - len(found))
            state, name = places[place]
            async with available():
                jobs = await self._queue.getJobs([name], offset, offset + wanted - 1)
            read += wanted
            for job in jobs:
                offset += 1
                status = status_of(job, state)
                if shown is None or shown(status):
                    found.append(_without_text(status))
                if len(found) == limit:
                    break
            else:
                if len(jobs) < wanted:
                    place, offset = place + 1, 0
        return found, f"{place}.{offset}" if place < len(places) else None

    async def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        names = [name for state in STATES for name in BULLMQ_STATES[state]]
        async with available():
            counts: dict[str, int] = await self._queue.getJobCounts(*names)
        return {state: sum(counts[name] for name in BULLMQ_STATES[state]) for state in STATES}

    async def cancel(self, job_id: str) -> JobState | None:
        """Removes a job that is not active and returns None. If it is active, asks its worker to
        stop and returns `active`. Raises JobNotFound."""
        status = await self.status(job_id)
        async with available():
            if status.state != "active" and await self._queue.remove(job_id):
                # The id may come back through an `Idempotency-Key`.
                await self._redis.delete(self._cancel_key(job_id))
                await self.awaited.discard(job_id)
                return None
            await self._redis.set(self._cancel_key(job_id), "1", ex=_CANCEL_KEY_S)
        return "active"

    async def retry(self, job_id: str) -> JobState:
        """Puts a job that has failed, or that waits for another attempt, into the queue as if it
        were new; others stay as they are. Returns its state. Raises JobNotFound."""
        status = await self.status(job_id)
        async with available():
            job = await self._queue.getJob(job_id)
            # BullMQ raises a TypeError if the job has changed its state meanwhile.
            with suppress(TypeError):
                if job is not None and status.state == "failed":
                    await self._redis.delete(self._cancel_key(job_id))
                    # BullMQ would still count the workers that the job has cost.
                    await self._forget(job_id, "stc", *Waits.FIELDS)
                    await job.retry("failed", {"resetAttemptsMade": True})
                elif job is not None and status.state == "delayed":
                    await job.promote()
        return (await self.status(job_id)).state

    async def waiting_for_us(self, turn_s: float) -> list[str]:
        """See `waking.Waiting`: of all workers, one gets these jobs in each turn."""
        async with available():
            turn = f"{PREFIX}:{self.name}:waking"
            # A little less than a turn, so that the same worker is not too early for its next one.
            if not await self._redis.set(turn, "1", nx=True, px=round(900 * turn_s)):
                return []
            soon = round((time.time() + turn_s) * 1000 * _TICKS_A_MS)
            later: Any = self._redis.zrangebyscore(
                self._queue.toKey("delayed"), soon, "+inf", 0, _MOST_READ
            )
            found = []
            for job_id in await later:
                waits: Any = self._redis.hmget(self._queue.toKey(job_id), Waits.FIELDS)
                if Waits.load(*await waits).count:
                    found.append(job_id)
            return found

    async def forgive_stalls(self, job_ids: list[str]) -> None:
        """Forgets that these jobs have lost their workers, so that they cannot fail for that. If
        Redis cannot be reached, nothing happens."""
        with suppress(*redis_client.faults()):
            for job_id in job_ids:
                done: Any = self._redis.eval(_FORGIVE_STALLS, 1, self._queue.toKey(job_id))
                await done

    async def is_cancelled(self, job_id: str) -> bool:
        """Whether `cancel` was called. False if Redis cannot be reached."""
        try:
            return bool(await self._redis.exists(self._cancel_key(job_id)))
        except redis_client.faults():
            return False

    async def until_cancelled(self, job_id: str, ended: asyncio.Event) -> None:
        """Waits until the job is cancelled or has ended.

        Polling costs little and, unlike a message, loses nothing while Redis cannot be reached. An
        event ends this and not a cancellation, which redis-py can swallow while it connects.
        """
        while not ended.is_set() and not await self.is_cancelled(job_id):
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _CANCEL_LOOK_S)

    async def keep_so_far(self, job_id: str, so_far: SoFar, *, with_text: bool) -> bool:
        """Stores it for whoever reads the job's status; returns whether that worked. It takes at
        most a second if Redis is slow or cannot be reached."""
        key = self._so_far_key(job_id)
        fields: Any = so_far.dump(with_text=with_text)
        try:
            async with asyncio.timeout(_HINT_S), self._redis.pipeline() as both:
                both.hset(key, mapping=fields)
                both.expire(key, _SO_FAR_KEY_S)
                await both.execute()
        except redis_client.faults():
            return False
        return True

    async def forget_so_far(self, job_id: str) -> None:
        """Called when the job has ended. If Redis cannot be reached, the key expires later."""
        with suppress(*redis_client.faults()):
            async with asyncio.timeout(_HINT_S):
                await self._redis.delete(self._so_far_key(job_id))

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def _forget(self, job_id: str, *fields: str) -> None:
        removed: Any = self._redis.hdel(self._queue.toKey(job_id), *fields)
        await removed

    async def _retry_s(self, job_id: str) -> float | None:
        score = await self._redis.zscore(self._queue.toKey("delayed"), job_id)
        return None if score is None else float(score) // _TICKS_A_MS / 1000

    async def _so_far(self, job_id: str) -> SoFar:
        fields: Any = self._redis.hgetall(self._so_far_key(job_id))
        return SoFar.load(await fields)

    def _cancel_key(self, job_id: str) -> str:
        return f"{PREFIX}:{self.name}:cancel:{job_id}"

    def _so_far_key(self, job_id: str) -> str:
        return f"{PREFIX}:{self.name}:so-far:{job_id}"


def _without_text(status: JobStatus) -> JobStatus:
    return replace(status, data={name: each for name, each in status.data.items() if name != _TEXT})


def _read_cursor(cursor: str | None, states: int) -> tuple[int, int]:
    place, _, offset = (cursor or "0.0").partition(".")
    if not (place.isdecimal() and offset.isdecimal() and int(place) < states):
        return states, 0  # not a cursor of ours: gives an empty last page
    return int(place), int(offset)
