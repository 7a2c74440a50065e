"""Work that ends with its request: when the client goes away, or the server has to stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from echostream.errors import ServerBusy

T = TypeVar("T")


async def with_request(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; cancel it when the client disconnects or the shutdown grace is over.

    The request's body must have been read. Raises ClientDisconnect, or ServerBusy at shutdown.
    """
    abort: asyncio.Event = request.app.state.abort
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(request))
    stopping = asyncio.create_task(abort.wait())
    try:
        await asyncio.wait({task, gone, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone.done():
            raise ClientDisconnect
        raise ServerBusy("the server is stopping; send the request again", retry_after_s=10)
    finally:
        for one in (task, gone, stopping):
            one.cancel()
        await asyncio.gather(task, gone, stopping, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
