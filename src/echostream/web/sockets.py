"""Serves Socket.IO: events become calls, and their results become events."""

import asyncio
from contextlib import suppress
from typing import Any

import socketio
import structlog
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from echostream.errors import RateLimited, ServerBusy, Unauthorized
from echostream.lifeline import Grace
from echostream.settings import Settings
from echostream.web.auth import admit
from echostream.web.cutting import CutOff
from echostream.web.deps import Services
from echostream.web.engine_io import MAX_MESSAGE_BYTES, SocketServer
from echostream.web.keyring import Caller
from echostream.web.live import LiveHandlers

log = structlog.get_logger(__name__)

PATH = "/socket.io"
_FETCH_S = 2.0
_SHARE_OF_FETCHING = 0.4


def socket_server(settings: Settings) -> SocketServer:
    """Returns a server without event handlers yet; `SocketPath` serves it."""
    origins = list(settings.cors_origins)
    server = SocketServer(
        settings.connections_per_address,
        cors_allowed_origins="*" if "*" in origins else origins or None,
    )
    _end_sessions_cleanly(server)
    return server


def serve_events(services: Services) -> None:
    """Accepts clients that have the token, and answers the events of live audio.
    `services.job_rooms` answers the events of jobs."""

    async def connect(sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        header = f"Bearer {token}" if isinstance(token, str) else ""
        connection = HTTPConnection(environ["asgi.scope"])
        try:
            caller = admit(services, connection, header or environ.get("HTTP_AUTHORIZATION", ""))
            services.sockets.accept(sid, caller)
        except (Unauthorized, RateLimited) as error:
            # Anything but this exception would leave the client waiting.
            raise socketio.exceptions.ConnectionRefusedError(error.code) from error
        if caller.name:
            log.info("socket_connected", caller=caller.name)

    live = LiveHandlers(services)

    async def disconnect(sid: str, _reason: str) -> None:
        await live.left(sid)

    services.sockets.on("connect", connect)
    services.sockets.on("disconnect", disconnect)


def _end_sessions_cleanly(server: socketio.AsyncServer) -> None:
    """Fixes two problems of Engine.IO at the end of a session. If a client leaves with another
    request, its last poll hangs until the ping times out, and a stopping server would wait for it.
    And a message to a session that is not yet forgotten crashes the request."""
    engine = server.eio
    handle = engine.handlers["disconnect"]

    async def disconnect(session_id: str, reason: str) -> None:
        session = engine.sockets.get(session_id)
        try:
            await handle(session_id, reason)
        finally:
            if session is not None and reason == server.reason.CLIENT_DISCONNECT:
                session.queue.put_nowait(None)
            asyncio.get_running_loop().call_soon(engine.sockets.pop, session_id, None)

    engine.on("disconnect", disconnect)


async def end_revoked(services: Services) -> None:
    """Ends the connections of tokens that are no longer valid. Live sessions wait for their
    clients, who may come back with a new token of the same name."""

    def is_revoked(caller: Caller) -> bool:
        return not services.keyring.knows(caller)

    services.realtime.end(is_revoked)
    await services.sockets.end(is_revoked)


async def close_sockets(services: Services, grace: Grace) -> None:
    """Lets live sessions finish, then ends all connections. Call it before the web server closes,
    which would cut connections off and wait for polls that nobody answers."""
    live, realtime = services.live, services.realtime
    await asyncio.gather(live.finish_all(grace.work_s), realtime.finish_all(grace.work_s))
    fetch_s = min(_FETCH_S, _SHARE_OF_FETCHING * grace.closing_s)
    connections = list(services.sockets.eio.sockets.values())
    closing = (_close(connection, fetch_s) for connection in connections)
    await asyncio.gather(*closing, return_exceptions=True)


async def _close(socket: Any, fetch_s: float) -> None:
    """Ends a connection once its client has fetched its messages, or after `fetch_s`."""
    with suppress(TimeoutError):
        await asyncio.wait_for(socket.queue.join(), fetch_s)
    await socket.close(wait=False)


async def end_polls(server: socketio.AsyncServer) -> None:
    """Answers open polls at once, as a stopping server would wait for them. WebSockets end with
    their connections."""
    for session in list(server.eio.sockets.values()):
        if not session.upgraded and not session.closed:
            await session.close(wait=False, reason=server.reason.SERVER_DISCONNECT)


class SocketPath:
    """ASGI middleware that hands the Socket.IO path to its server. It is outermost, so that polls
    are not logged and measured one by one; Engine.IO handles CORS itself."""

    def __init__(self, app: ASGIApp, server: socketio.AsyncServer) -> None:
        self._app = app
        # A message is answered when its events are, and those may wait for anything.
        self._server = CutOff(server.handle_request, _cut_off)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not is_socket_path(scope["path"]):
            await self._app(scope, receive, send)
        elif is_too_large(scope):
            # Engine.IO would end the session and not answer until its client polls again.
            await PlainTextResponse("the message is too large", 413)(scope, receive, send)
        else:
            await self._server(scope, receive, send)


def _cut_off(_scope: Scope, busy: ServerBusy) -> Response:
    headers = {"Retry-After": f"{busy.retry_after_s:.0f}"}
    return PlainTextResponse(str(busy), busy.status, headers)


def is_socket_path(path: str) -> bool:
    return path == PATH or path.startswith(f"{PATH}/")


def is_too_large(scope: Scope) -> bool:
    """Whether a request announces a body above the limit."""
    length = Headers(scope=scope).get("content-length", "")
    return length.isdecimal() and int(length) > MAX_MESSAGE_BYTES
