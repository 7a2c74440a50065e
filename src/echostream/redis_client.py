"""Connections to Redis. Only this module imports the Redis client, and only when it connects,
because the client is in the extra `queue`."""

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from echostream.extras import require

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.connection import AbstractConnection
    from redis.asyncio.retry import Retry

_IDLE_S = 10.0


def connect(
    url: str,
    *,
    connect_s: float,
    answer_s: float,
    retries: int = 0,
    pause_s: float = 0.0,
    **options: Any,
) -> "Redis":
    """Returns a client that connects at its first command. A command is retried `retries` times; an
    attempt fails if connecting takes longer than `connect_s` or a read longer than `answer_s`.

    Raises MissingExtra, and ValueError if the URL has options that the client does not know.
    """
    require("queue", "the connection to Redis")
    from redis.asyncio import Redis

    pool = _tidy_pool().from_url(
        url,
        socket_connect_timeout=connect_s,
        socket_timeout=answer_s,
        retry=retry(retries, pause_s),
        **options,
    )
    return Redis.from_pool(pool)


@cache
def _tidy_pool() -> type["ConnectionPool"]:
    """The class of a pool that closes all but one of the connections that were idle for `_IDLE_S`.
    redis-py's own keeps as many as there ever were at once: while Redis hangs, one for each
    request."""
    from redis.asyncio import ConnectionPool

    class TidyPool(ConnectionPool):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._idle_since: WeakKeyDictionary[AbstractConnection, float] = WeakKeyDictionary()
            self._look_again: asyncio.TimerHandle | None = None
            self._closing: set[asyncio.Task[None]] = set()

        async def release(self, connection: "AbstractConnection") -> None:
            await super().release(connection)
            loop = asyncio.get_running_loop()
            self._idle_since[connection] = loop.time()
            if self._look_again is None:
                self._look_again = loop.call_later(_IDLE_S, self._tidy, loop)

        def _tidy(self, loop: asyncio.AbstractEventLoop) -> None:
            # The last one released is the next to be used, so the first is the longest idle.
            idle = self._available_connections
            while len(idle) > 1 and loop.time() - self._idle_since[idle[0]] >= _IDLE_S:
                task = loop.create_task(idle.pop(0).disconnect())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
            is_left = len(idle) > 1
            self._look_again = loop.call_later(_IDLE_S, self._tidy, loop) if is_left else None

    return TidyPool


def retry(times: int, pause_s: float) -> "Retry":
    """Retries a command with constant pauses; redis-py's default pauses grow."""
    from redis.asyncio.retry import Retry
    from redis.backoff import ConstantBackoff

    return Retry(ConstantBackoff(pause_s), times)


def faults() -> tuple[type[Exception], ...]:
    """Returns what commands raise, also after a time-out: a TimeoutError is an OSError."""
    from redis.exceptions import RedisError

    return RedisError, OSError


def is_outage(fault: Exception) -> bool:
    """Returns True if Redis cannot be reached, False if it rejects a command."""
    from redis.exceptions import ConnectionError as NotConnected
    from redis.exceptions import TimeoutError as NotInTime

    return isinstance(fault, NotConnected | NotInTime | OSError)


def is_refusal(fault: BaseException | None) -> bool:
    """Returns True if Redis rejects our user name and password."""
    from redis.exceptions import AuthenticationError

    return isinstance(fault, AuthenticationError)


_REFUSALS = {
    "OOM": "Redis has no memory left (maxmemory)",
    "MISCONF": "Redis cannot save its data and refuses to write",
    "READONLY": "Redis is a replica and refuses to write",
    "NOREPLICAS": "Redis has too few replicas and refuses to write",
}


def write_refusal(fault: BaseException) -> str | None:
    """Returns why Redis, which answers, rejects commands that write; None for other faults."""
    from redis.exceptions import OutOfMemoryError, ReadOnlyError

    # The client cuts off the codes that it knows.
    if isinstance(fault, OutOfMemoryError):
        return _REFUSALS["OOM"]
    if isinstance(fault, ReadOnlyError):
        return _REFUSALS["READONLY"]
    return _REFUSALS.get(str(fault).partition(" ")[0])


async def weaknesses(client: "Redis") -> list[str]:
    """Returns what may lose jobs in the way Redis is set up. What it does not tell is no
    weakness: those who run it for others often hide how it saves its data."""
    found = []
    about: dict[str, Any] = await client.info()
    policy = about.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        found.append(f"Redis may evict jobs: set maxmemory-policy to noeviction, not {policy}")
    if about.get("aof_enabled") == 0 and await _saves_no_snapshots(client):
        found.append("Redis forgets all jobs when it restarts: set appendonly to yes")
    return found


async def _saves_no_snapshots(client: "Redis") -> bool:
    try:
        settings = await client.config_get("save")
    except faults():
        return False
    return settings.get("save") == ""


def database_of(client: "Redis") -> int:
    """Returns the number of the database that a client uses."""
    return int(client.connection_pool.connection_kwargs.get("db") or 0)
