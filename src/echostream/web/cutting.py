"""Requests that a stopping server cuts off get an answer, whatever they wait for."""

import asyncio
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from echostream.errors import ServerBusy
from echostream.web.deps import services_of
from echostream.web.stopping import stopping


class CutOff:
    """ASGI middleware: once `Services.abort` is set, a request whose answer has not begun gets the
    one that `refusal` makes. Its work is cancelled and not waited for, since a thread that waits
    for a storage cannot be stopped. An answer that has begun ends by itself or breaks off."""

    def __init__(self, app: ASGIApp, refusal: Callable[[Scope, ServerBusy], Response]) -> None:
        self._app = app
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = cut = False

        async def send_unless_cut(message: Message) -> None:
            nonlocal begun
            if not cut:
                begun = True
                await send(message)

        abort = asyncio.create_task(services_of(scope["app"]).abort.wait())
        work = asyncio.ensure_future(self._app(scope, receive, send_unless_cut))
        work.add_done_callback(_read_outcome)
        try:
            await asyncio.wait({work, abort}, return_when=asyncio.FIRST_COMPLETED)
            if work.done() or begun:
                await work
            else:
                cut = True
                await self._refusal(scope, stopping())(scope, receive, send)
        finally:
            abort.cancel()
            work.cancel()


def _read_outcome(work: "asyncio.Future[None]") -> None:
    """Keeps asyncio from reporting an error that nobody awaits any more."""
    if not work.cancelled():
        work.exception()
