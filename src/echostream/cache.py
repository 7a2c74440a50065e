"""Transcripts and insights by content, so that the same audio is not worked through twice.

A cache may forget at any time and may never fail a request: whatever goes wrong is a miss. Keys
carry a format version and everything the value depends on, so that nothing is ever invalidated;
what nobody asks for again runs out.
"""

import asyncio
import hashlib
import json
import time
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from echostream import redis_client
from echostream.domain import Insights, TranscribeOptions, Transcript
from echostream.settings import Settings

log = structlog.get_logger(__name__)

T = TypeVar("T")

# To be raised whenever equal inputs would now give other values, or values in another shape.
_FORMAT: Final = 3

_MEMORY_BYTES = 64 * 1024 * 1024
_CONNECT_S = 1.0
_OPERATION_S = 2.0
_BACK_OFF_S = 5.0
_LOG_EVERY_S = 60.0
_PREFIX = "echostream:cache:"

_TRANSCRIPT = TypeAdapter(Transcript)
_INSIGHTS = TypeAdapter(Insights)


class Cache(Protocol):
    """Bytes by key for a limited time. Used from one event loop; neither method raises."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None when there is none or it cannot be had."""

    async def put(self, key: str, value: bytes) -> None:
        """Keep the value, if that is possible."""

    async def aclose(self) -> None:
        """Close connections."""


def load_cache(settings: Settings) -> Cache:
    """The cache that the settings ask for: in Redis where that is there for the queue, else in
    memory. Quick: connects at first use."""
    if settings.cache_ttl_s == 0:
        return NoCache()
    if settings.use_queue:
        return RedisCache(settings.redis_url, settings.cache_ttl_s)
    return MemoryCache(settings.cache_ttl_s)


class NoCache:
    """For CACHE_TTL_S=0."""

    async def get(self, key: str) -> bytes | None:
        return None

    async def put(self, key: str, value: bytes) -> None:
        pass

    async def aclose(self) -> None:
        pass


class MemoryCache:
    """In this process. Over `max_bytes` of keys and values, what was read least recently goes."""

    def __init__(
        self,
        ttl_s: float,
        *,
        max_bytes: int = _MEMORY_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl_s = ttl_s
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self.size_bytes = 0

    async def get(self, key: str) -> bytes | None:
        if key not in self._entries:
            return None
        expires_at, value = self._entries[key]
        if self._clock() >= expires_at:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return value

    async def put(self, key: str, value: bytes) -> None:
        """Keep the value; one larger than the whole cache is not kept and displaces nothing."""
        self._drop(key)
        size_bytes = len(key) + len(value)
        if size_bytes > self._max_bytes:
            return
        self._entries[key] = (self._clock() + self._ttl_s, value)
        self.size_bytes += size_bytes
        while self.size_bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    async def aclose(self) -> None:
        self._entries.clear()
        self.size_bytes = 0

    def _drop(self, key: str) -> None:
        if key in self._entries:
            self.size_bytes -= len(key) + len(self._entries.pop(key)[1])


class RedisCache:
    """In Redis, shared by all processes. `url` is a redis:// URL.

    A request waits 2 s at most for a Redis that is away or hung. After that, for 5 s, everyone is
    told "miss" at once; then one request tries again, alone.
    """

    def __init__(
        self, url: str, ttl_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis: Any = redis_client.connect(url, connect_s=_CONNECT_S, answer_s=_OPERATION_S)
        self._ttl_ms = max(1, round(ttl_s * 1000))
        self._clock = clock
        self._away = False
        self._next_try_at = 0.0
        self._next_log_at = 0.0

    async def get(self, key: str) -> bytes | None:
        value: bytes | None = await self._guarded(lambda: self._redis.get(_PREFIX + key))
        return value

    async def put(self, key: str, value: bytes) -> None:
        await self._guarded(lambda: self._redis.set(_PREFIX + key, value, px=self._ttl_ms))

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def _guarded(self, command: Callable[[], Awaitable[T]]) -> T | None:
        """The answer to a command; None at any fault, and at once while Redis is known away."""
        if self._away:
            if self._clock() < self._next_try_at:
                return None
            # This request tries; those that come while it waits do not wait with it.
            self._next_try_at = self._clock() + _BACK_OFF_S
        try:
            # The client's own time-outs hold for single reads; names and handshakes come on top.
            async with asyncio.timeout(_OPERATION_S):
                answer = await command()
        except redis_client.faults() as fault:
            self._note(fault)
            return None
        self._away = False
        return answer

    def _note(self, fault: Exception) -> None:
        now = self._clock()
        if redis_client.is_outage(fault):
            self._away = True
            self._next_try_at = now + _BACK_OFF_S
        if now >= self._next_log_at:
            self._next_log_at = now + _LOG_EVERY_S
            log.warning("cache in Redis fails, going on without", fault=repr(fault))


def transcript_key(
    channels: Sequence[NDArray[np.int16]], engine: str, model: str, options: TranscribeOptions
) -> str:
    """Key of the transcript of `channels` that are read apart, shape `(n,)` each.

    Hashes 115 MB for an hour of audio, in well under a second and without the GIL: for a thread.
    """
    lengths = [len(samples) for samples in channels]
    digest = _digest([engine, model, asdict(options), lengths])
    for samples in channels:
        digest.update(np.ascontiguousarray(samples).data)  # a view: nothing is copied
    return f"transcript:{digest.hexdigest()}"


def insights_key(transcript: Transcript, provider: str, model: str | None) -> str:
    """Key of what `provider` says of `transcript`. Takes all of the transcript in, so that it stays
    right whatever a provider comes to read."""
    digest = _digest([provider, model, _TRANSCRIPT.dump_python(transcript)])
    return f"insights:{digest.hexdigest()}"


def dump_transcript(transcript: Transcript) -> bytes:
    """To be read back by `load_transcript`. A long one, with words, takes some 100 ms."""
    return _pack(_TRANSCRIPT.dump_python(transcript))


def load_transcript(dumped: bytes | None) -> Transcript | None:
    """Equal to what was dumped; None for a miss and for what is no transcript of this version."""
    return _load(_TRANSCRIPT, dumped)


def dump_insights(insights: Insights) -> bytes:
    """To be read back by `load_insights`."""
    # The flat action items follow from the details and cannot be given to the constructor.
    return _pack(_INSIGHTS.dump_python(insights, exclude={"action_items"}))


def load_insights(dumped: bytes | None) -> Insights | None:
    """Equal to what was dumped; None for a miss and for what is no insights of this version."""
    return _load(_INSIGHTS, dumped)


def _digest(inputs: list[Any]) -> "hashlib._Hash":
    # A JSON list shows where it ends, so what is hashed after it cannot be taken for a part of it.
    return hashlib.sha256(json.dumps([_FORMAT, *inputs]).encode())


def _pack(content: Any) -> bytes:
    # Not pydantic's own JSON, which refuses lone surrogates and turns infinities into null.
    # Compressed, as Redis gives the cache the memory that it also needs for the job queue.
    return zlib.compress(json.dumps(content).encode(), 1)


def _load(adapter: TypeAdapter[T], dumped: bytes | None) -> T | None:
    if dumped is None:
        return None
    try:
        return adapter.validate_python(json.loads(zlib.decompress(dumped)))
    except (zlib.error, ValueError, ValidationError, RecursionError):
        return None
