"""Progress messages from workers to the API's processes.

These messages are hints: they may be lost, and nothing depends on them. Whoever receives the news
that a job has ended reads the job itself, so results never pass through Redis' memory.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from echostream import redis_client
from echostream.given_json import parse

log = structlog.get_logger(__name__)

_TELL_S = 1.0
"""How long sending a message may delay a worker."""
_HEAR_S = 2.0
_RECONNECT_S = 1.0


@dataclass(frozen=True, slots=True)
class JobNews:
    """A job has reached `progress` percent or, if that is None, has ended.

    `stage` and the remaining seconds are None if unknown. `has_new_text` says that the transcript
    has grown; its text is stored beside the job.
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
        """Reads what `dump` returned, also that of earlier versions; None for anything else."""
        try:
            found = parse(dumped)
        except ValueError:
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
    """The workers' side. It never raises, and no call takes longer than `_TELL_S`."""

    def __init__(self, redis_url: str, queue_name: str) -> None:
        # Without retries, which would hold the worker up.
        self._redis = redis_client.connect(
            redis_url, connect_s=_TELL_S / 2, answer_s=_TELL_S / 2, socket_keepalive=True
        )
        self._channel = _channel(redis_client.database_of(self._redis), queue_name)
        self._complained = False

    async def ended(self, job_id: str) -> None:
        """Call this after the queue knows it, because the receiver reads the job there."""
        await self.tell(JobNews(job_id, None))

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def tell(self, news: JobNews) -> None:
        try:
            # The client's time-outs apply to single reads, not to name look-ups and handshakes.
            async with asyncio.timeout(_TELL_S):
                await self._redis.publish(self._channel, news.dump())
        except redis_client.faults() as fault:
            if not self._complained:
                log.warning("job_events_not_told", reason=repr(fault))
            self._complained = True
        else:
            self._complained = False


class JobListener:
    """The API's side: passes each message to `heard`, from `start` until `aclose`.

    If Redis cannot be reached, it keeps trying; messages sent meanwhile are lost.
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
            # The event is set too, because redis-py can swallow a cancellation while it connects.
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._redis.aclose()

    async def _listen(self) -> None:
        complained = False
        while not self._closing.is_set():
            try:
                await self._listen_once()
            except redis_client.faults() as fault:
                if not complained or self.is_listening.is_set():  # once per outage
                    log.warning("job_events_not_heard", reason=repr(fault))
                complained = True
            self.is_listening.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _RECONNECT_S)

    async def _listen_once(self) -> None:
        """Listens until closed or until the connection breaks."""
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(self._channel)
            self.is_listening.set()
            while not self._closing.is_set():
                message: dict[str, Any] | None = await pubsub.get_message(timeout=1.0)
                news = JobNews.load(message["data"]) if message else None
                if news is not None:
                    await self._heard(news)


def _channel(database: int, queue_name: str) -> str:
    """One channel per queue. Unlike keys, channels are shared by all databases of a Redis."""
    return f"echostream:{database}:{queue_name}:jobs"
