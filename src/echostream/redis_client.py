"""Connections to Redis: the one module that imports its client, and only when one is made, since it
comes with the extra `queue`."""

from typing import TYPE_CHECKING, Any

from echostream.extras import require

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry


def connect(
    url: str,
    *,
    connect_s: float,
    answer_s: float,
    retries: int = 0,
    pause_s: float = 0.0,
    **options: Any,
) -> "Redis":
    """A client that connects at its first command. A command fails when a connection takes longer
    than `connect_s`, or a read longer than `answer_s`, and that `retries` times over.

    Raises MissingExtra, and ValueError for options in the URL that the client does not know.
    """
    require("queue", "the connection to Redis")
    from redis.asyncio import Redis

    return Redis.from_url(
        url,
        socket_connect_timeout=connect_s,
        socket_timeout=answer_s,
        retry=retry(retries, pause_s),
        **options,
    )


def retry(times: int, pause_s: float) -> "Retry":
    """How often a command is tried again. redis-py's own pauses grow."""
    from redis.asyncio.retry import Retry
    from redis.backoff import ConstantBackoff

    return Retry(ConstantBackoff(pause_s), times)


def faults() -> tuple[type[Exception], ...]:
    """What commands raise. Where time is up as well: a TimeoutError is an OSError."""
    from redis.exceptions import RedisError

    return RedisError, OSError


def is_outage(fault: Exception) -> bool:
    """Whether it says that Redis is away, as against that it does not want a command."""
    from redis.exceptions import ConnectionError as NotConnected
    from redis.exceptions import TimeoutError as NotInTime

    return isinstance(fault, NotConnected | NotInTime | OSError)


def is_refusal(fault: BaseException | None) -> bool:
    """Whether Redis does not take our name and password."""
    from redis.exceptions import AuthenticationError

    return isinstance(fault, AuthenticationError)


def database_of(client: "Redis") -> int:
    """The number of the database that a client uses."""
    return int(client.connection_pool.connection_kwargs.get("db") or 0)
