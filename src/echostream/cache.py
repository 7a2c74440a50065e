"""Transcripts, speakers and insights by content, so that the same audio is not processed twice.

A cache may forget at any time and never makes a request fail: any error counts as a miss. Keys
include a format version and everything that the value depends on, so entries never have to be
invalidated; they expire.
"""

import asyncio
import hashlib
import json
import time
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from echostream import redis_client
from echostream.diarization.base import Diarization
from echostream.domain import (
    Insights,
    InsightsOptions,
    SpeakerOptions,
    TranscribeOptions,
    Transcript,
)
from echostream.settings import Settings

log = structlog.get_logger(__name__)

T = TypeVar("T")

# Increase this whenever the same inputs give other values, or values in another format.
_FORMAT: Final = 5

_MEMORY_BYTES = 64 * 1024 * 1024
_CONNECT_S = 1.0
_OPERATION_S = 2.0
_BACK_OFF_S = 5.0
_LOG_EVERY_S = 60.0
_PREFIX = "echostream:cache:"

_TRANSCRIPT = TypeAdapter(Transcript)
_INSIGHTS = TypeAdapter(Insights)
_DIARIZATION = TypeAdapter(Diarization)


class Cache(Protocol):
    """Stores bytes by key for a limited time. Used from one event loop; no method raises."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None if it is missing or cannot be read."""

    async def put(self, key: str, value: bytes) -> None:
        """Stores the value if possible."""

    async def aclose(self) -> None:
        """Closes connections."""


def load_cache(settings: Settings) -> Cache:
    """The cache that the settings ask for: in Redis if that is used for the queue, else in memory.
    It connects on first use."""
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
    """A cache in this process. Above `max_bytes`, the least recently read entries are dropped."""

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
        """Stores the value, unless it is larger than the whole cache."""
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
    """A cache in Redis, shared by all processes. `url` is a redis:// URL.

    If Redis hangs or cannot be reached, a request waits for at most 2 s. For the next 5 s every
    request is a miss at once; then a single request tries again.
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
        """The answer to a command; None on an error, and at once while Redis is down."""
        if self._away:
            if self._clock() < self._next_try_at:
                return None
            # Only this request tries; others that come meanwhile do not wait.
            self._next_try_at = self._clock() + _BACK_OFF_S
        try:
            # The client's time-outs apply to single reads, not to name look-ups and handshakes.
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
            log.warning("cache in Redis failed, continuing without it", fault=repr(fault))


def transcript_key(
    channels: Sequence[NDArray[np.int16]], engine: str, model: str, options: TranscribeOptions
) -> str:
    """The key of the transcript of `channels`, each of shape `(n,)` and read separately.

    Call it in a thread: it hashes 115 MB for an hour of audio, in well under a second and without
    the GIL.
    """
    lengths = [len(samples) for samples in channels]
    # Its name is that of the model that was used, whether a request gave it or not.
    digest = _digest([engine, asdict(replace(options, model=model)), lengths])
    for samples in channels:
        digest.update(np.ascontiguousarray(samples).data)  # a view: nothing is copied
    return f"transcript:{digest.hexdigest()}"


def diarization_key(samples: NDArray[np.int16], model: str, options: SpeakerOptions) -> str:
    """The key of the diarization of `samples`. Call it in a thread, like `transcript_key`."""
    digest = _digest([model, asdict(options), len(samples)])
    digest.update(np.ascontiguousarray(samples).data)
    return f"diarization:{digest.hexdigest()}"


def insights_key(
    transcript: Transcript, provider: str, model: str | None, options: InsightsOptions
) -> str:
    """The key of the insights of `transcript` by `provider`. It covers the whole transcript, so it
    stays correct whichever parts a provider reads."""
    digest = _digest([provider, model, asdict(options), _TRANSCRIPT.dump_python(transcript)])
    return f"insights:{digest.hexdigest()}"


def dump_transcript(transcript: Transcript) -> bytes:
    """The bytes for `load_transcript`. A long transcript with words takes about 100 ms."""
    return _pack(_TRANSCRIPT.dump_python(transcript))


def load_transcript(dumped: bytes | None) -> Transcript | None:
    """The transcript that was dumped; None for a miss or another format."""
    return _load(_TRANSCRIPT, dumped)


def dump_diarization(found: Diarization) -> bytes:
    """The bytes for `load_diarization`."""
    return _pack(_DIARIZATION.dump_python(found))


def load_diarization(dumped: bytes | None) -> Diarization | None:
    """The diarization that was dumped; None for a miss or another format."""
    return _load(_DIARIZATION, dumped)


def dump_insights(insights: Insights) -> bytes:
    """The bytes for `load_insights`."""
    # The flat action items are computed from the details; the constructor does not accept them.
    return _pack(_INSIGHTS.dump_python(insights, exclude={"action_items"}))


def load_insights(dumped: bytes | None) -> Insights | None:
    """The insights that were dumped; None for a miss or another format."""
    return _load(_INSIGHTS, dumped)


def _digest(inputs: list[Any]) -> "hashlib._Hash":
    # A JSON list marks its own end, so data that is hashed after it cannot be mistaken for it.
    return hashlib.sha256(json.dumps([_FORMAT, *inputs]).encode())


def _pack(content: Any) -> bytes:
    # Not pydantic's own JSON, which refuses lone surrogates and turns infinities into null.
    # Compressed, because in Redis the cache and the job queue share the memory.
    return zlib.compress(json.dumps(content).encode(), 1)


def _load(adapter: TypeAdapter[T], dumped: bytes | None) -> T | None:
    if dumped is None:
        return None
    try:
        return adapter.validate_python(json.loads(zlib.decompress(dumped)))
    except (zlib.error, ValueError, ValidationError, RecursionError):
        return None
