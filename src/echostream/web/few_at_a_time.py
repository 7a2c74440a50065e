"""How many requests one address may have open at a time, so that it cannot take the place of all
others."""

from collections import Counter
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from echostream.errors import RateLimited
from echostream.web.addresses import address_of
from echostream.web.deps import services_of
from echostream.web.openai_shapes import error_body

_RETRY_AFTER_S = 5


class FewAtATime:
    """ASGI middleware: refuses requests and WebSockets of an address that has `most` of them open.
    Connections are counted when they are made; here it is those behind a proxy."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = address_of(scope) if scope["type"] in ("http", "websocket") else ""
        if not address:
            await self._app(scope, receive, send)
            return
        if self._open[address] >= self._most:
            await _refuse(scope, receive, send)
            return
        self._open[address] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    error = RateLimited("this address has too many connections")
    services_of(scope["app"]).metrics.errors.labels(error.code).inc()
    body: dict[str, Any] = {"error": error.code, "message": str(error)}
    if scope["path"].startswith("/v1/"):
        body = error_body(error.code, error.status, str(error))
    response = JSONResponse(body, error.status, {"Retry-After": str(_RETRY_AFTER_S)})
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
