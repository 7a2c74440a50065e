"""Work that ends with its request: when the client disconnects, or the server has to stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from echostream.errors import Cancelled, EchoStreamError, ServerBusy
from echostream.web.deps import services_of

T = TypeVar("T")


async def with_request(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Runs `work`; cancels it if the client disconnects or the shutdown grace period is over.

    The request's body must have been read. Raises Cancelled, or ServerBusy at shutdown; both
    immediately, since an engine may take long to reach a point where it can stop. Until then
    cancelled work keeps its slot.
    """
    gone = Cancelled("the client has gone")
    return await _unless({_disconnected(request): gone, **_stopping(request)}, work)


async def unless_stopping(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Runs `work`, such as reading the body. Raises ServerBusy after the shutdown grace period."""
    return await _unless(_stopping(request), work)


Endings = dict[Coroutine[Any, Any, Any], EchoStreamError]


def _stopping(request: Request) -> Endings:
    busy = ServerBusy("the server is stopping; send the request again", retry_after_s=10)
    return {services_of(request.app).abort.wait(): busy}


async def _unless(endings: Endings, work: Coroutine[Any, Any, T]) -> T:
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


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
