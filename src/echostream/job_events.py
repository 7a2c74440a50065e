"""How jobs go, told by workers to the API's processes while it happens.

What is told is a hint: it may be lost, and nothing depends on it. Whoever hears that a job has
ended looks at the job itself, so results never pass through Redis' memory.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from echostream import redis_client

log = structlog.get_logger(__name__)

_TELL_S = 1.0
"""Longest that telling may hold a worker up."""
_HEAR_S = 2.0
_RECONNECT_S = 1.0


@dataclass(frozen=True, slots=True)
class JobNews:
    """A job has come to `progress` percent or, where that is None, has ended.

    `stage` and the seconds that are left are None where they are not known. `has_new_text` says
    that there is more of the transcript; it lies beside the job, for those who want to read it.
    """

    job_id: str
    progress: int | None
    stage: str | None = None
    left_s: int | None = None
    has_new_text: bool = False

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, dumped: bytes) -> "JobNews | None":
        """Read what `dump` gave, also where it knew less; None for anything else."""
        try:
            found = json.loads(dumped)
        except (ValueError, RecursionError):
            return None
        match found:
            case {"job_id": str(job_id), "progress": int() | None as progress}:
                stage, left_s = found.get("stage"), found.get("left_s")
                return cls(
                    job_id,
                    progress,
                    stage if isinstance(stage, str) else None,
                    left_s if isinstance(left_s, int) else None,
                    found.get("has_new_text") is True,
                )
        return None


class JobAnnouncer:
    """The workers' side. Never raises, and takes no longer than `_TELL_S` whatever Redis does."""

    def __init__(self, redis_url: str, queue_name: str) -> None:
        # Without retries, which would hold the worker up.
        self._redis = redis_client.connect(
            redis_url, connect_s=_TELL_S / 2, answer_s=_TELL_S / 2, socket_keepalive=True
        )
        self._channel = _channel(redis_client.database_of(self._redis), queue_name)
        self._complained = False

    async def ended(self, job_id: str) -> None:
        """To be told once the queue knows it, since who hears this looks there."""
        await self.tell(JobNews(job_id, None))

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def tell(self, news: JobNews) -> None:
        try:
            # The client's own time-outs hold for single reads; names and handshakes come on top.
            async with asyncio.timeout(_TELL_S):
                await self._redis.publish(self._channel, news.dump())
        except redis_client.faults() as fault:
            if not self._complained:
                log.warning("job_events_not_told", reason=repr(fault))
            self._complained = True
        else:
            self._complained = False


class JobListener:
    """An API process' side: gives what is told to `heard`, from `start` until `aclose`.

    A Redis that is away is waited for; what is told meanwhile is missed.
    """

    def __init__(
        self, redis_url: str, queue_name: str, heard: Callable[[JobNews], Awaitable[None]]
    ) -> None:
        # Without retries, which would hide that messages were missed.
        self._redis = redis_client.connect(
            redis_url, connect_s=_HEAR_S, answer_s=_HEAR_S, socket_keepalive=True
        )
        self._channel = _channel(redis_client.database_of(self._redis), queue_name)
        self._heard = heard
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.is_listening = asyncio.Event()

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def aclose(self) -> None:
        self._closing.set()
        if self._task is not None:
            # The event too, since redis-py can swallow a cancellation while it connects.
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._redis.aclose()

    async def _listen(self) -> None:
        complained = False
        while not self._closing.is_set():
            try:
                await self._listen_once()
            except redis_client.faults() as fault:
                if not complained or self.is_listening.is_set():  # once in an outage
                    log.warning("job_events_not_heard", reason=repr(fault))
                complained = True
            self.is_listening.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _RECONNECT_S)

    async def _listen_once(self) -> None:
        """Until closed or the connection breaks."""
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(self._channel)
            self.is_listening.set()
            while not self._closing.is_set():
                message: dict[str, Any] | None = await pubsub.get_message(timeout=1.0)
                news = JobNews.load(message["data"]) if message else None
                if news is not None:
                    await self._heard(news)


def _channel(database: int, queue_name: str) -> str:
    """One for each queue. Unlike keys, channels are shared by all databases of a Redis."""
    return f"echostream:{database}:{queue_name}:jobs"
