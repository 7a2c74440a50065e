"""How the queue's two sides connect to Redis, and what they say when they cannot."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from echostream import redis_client
from echostream.errors import QueueUnavailable

PREFIX = "bull"
_ANSWER_S = 2.5
"""How long a request waits for Redis, so that `queue_unavailable` comes within three seconds."""


@asynccontextmanager
async def available() -> AsyncIterator[None]:
    """Turns every failure to reach Redis, or to make it do something, into QueueUnavailable."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            yield
    except redis_client.faults() as fault:
        reason = redis_client.write_refusal(fault) or "the job queue cannot be reached"
        raise QueueUnavailable(f"{reason}; try again later") from fault


def connection_options(redis_url: str) -> dict[str, Any]:
    """A Redis URL as the options from which BullMQ's worker makes its connections.

    BullMQ blocks for up to 10 s in one command; redis-py's default time-out of 5 s would abort it.
    """
    parts = urlsplit(redis_url)
    options: dict[str, Any] = {
        "host": parts.hostname or "localhost",
        "port": parts.port or 6379,
        "db": int(parts.path.strip("/") or 0),
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "health_check_interval": 15,
    }
    if parts.username:
        options["username"] = unquote(parts.username)
    if parts.password:
        options["password"] = unquote(parts.password)
    if parts.scheme == "rediss":
        options["ssl"] = True
    return options
