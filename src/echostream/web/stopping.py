"""Work that ends before its time: when its client leaves, or the server stops."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from echostream.errors import EchoStreamError, ServerBusy

T = TypeVar("T")

_RETRY_AFTER_S = 10


def stopping() -> ServerBusy:
    return ServerBusy(
        "the server is stopping; send the request again", retry_after_s=_RETRY_AFTER_S
    )


async def unless_stopping(abort: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` of a client that has no request. Raises ServerBusy once `abort` is set."""
    return await unless({abort.wait(): stopping()}, work)


async def unless(
    endings: dict[Coroutine[Any, Any, Any], EchoStreamError], work: Coroutine[Any, Any, T]
) -> T:
    """Runs `work` until one of the endings comes; then cancels it and raises that error."""
    task = asyncio.create_task(work)
    errors = {asyncio.create_task(ending): error for ending, error in endings.items()}
    try:
        await asyncio.wait({task, *errors}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise next(error for ending, error in errors.items() if ending.done())
    finally:
        for one in (task, *errors):
            one.cancel()
