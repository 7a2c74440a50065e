"""Checks what the API needs besides its port, once before it opens the port.

If Redis or the storage is down while the API runs, requests for jobs get an error until it is back.
At startup that counts as a mistake in the settings: one line now is better than a 503 for each job.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from echostream.errors import EchoStreamError, QueueUnavailable
from echostream.settings import Settings
from echostream.web.keyring import Keyring

log = structlog.get_logger(__name__)

_REDIS_STARTS_S = 10.0
"""Redis may be starting at the same time."""


def check(settings: Settings) -> None:
    """Raises EchoStreamError, with a message for the operator, if it finds a problem."""
    Keyring(settings)
    if settings.use_queue:
        asyncio.run(_check_queue(settings))


async def _check_queue(settings: Settings) -> None:
    from echostream.jobs import JobQueue
    from echostream.storage import Storage

    try:
        await Storage(settings.storage_url).check()
    except EchoStreamError as error:
        raise EchoStreamError(f"STORAGE_URL: {error}") from error
    try:
        queue = JobQueue(
            settings.queue_name, settings.redis_url, retention_s=settings.job_retention_s
        )
    except ValueError as error:  # options in the URL that redis-py does not know
        raise EchoStreamError("REDIS_URL: its options are not valid") from error
    try:
        await _until_redis_answers(queue.ping)
        for weakness in await queue.weaknesses():
            log.warning("redis_may_lose_jobs", hint=weakness)
    finally:
        await queue.aclose()


async def _until_redis_answers(ping: Callable[[], Awaitable[None]]) -> None:
    deadline = time.monotonic() + _REDIS_STARTS_S
    while True:
        try:
            return await ping()
        except QueueUnavailable as error:
            if time.monotonic() > deadline:
                reason = str(error.__cause__).partition(". ")[0] or "no answer in time"
                raise EchoStreamError(
                    "USE_QUEUE is on, but Redis does not answer as it should at REDIS_URL "
                    f"({reason.rstrip('.')}); start it or set USE_QUEUE=false"
                ) from error
        await asyncio.sleep(0.25)
