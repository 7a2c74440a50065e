"""Work that ends with its request: when the client disconnects, or the server has to stop."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from echostream.errors import Cancelled
from echostream.web.deps import services_of
from echostream.web.stopping import stopping, unless

T = TypeVar("T")


async def with_request(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Runs `work`; cancels it if the client disconnects or the server cuts its requests off.

    The request's body must have been read. Raises Cancelled, or ServerBusy when the server stops;
    both immediately, since an engine may take long to reach a point where it can stop. Until then
    cancelled work keeps its slot.
    """
    abort = services_of(request.app).abort
    gone = Cancelled("the client has gone")
    return await unless({_disconnected(request): gone, abort.wait(): stopping()}, work)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
