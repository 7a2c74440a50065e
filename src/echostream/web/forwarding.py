"""Forwards Socket.IO requests to the process that has their session.

Engine.IO keeps a session in one process, but a client's next request may reach any process. The
session id says which process owns the session (`Peers.new_id`).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import TypeAlias
from urllib.parse import parse_qs

import httpx2 as httpx
import socketio
import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from echostream.web.engine_io import MAX_MESSAGE_BYTES
from echostream.web.peers import Peers, is_from_peer
from echostream.web.sockets import PATH, is_socket_path, is_too_large

log = structlog.get_logger(__name__)

Headers: TypeAlias = list[tuple[bytes, bytes]]

_CONNECT_S = 5.0
_MARGIN_S = 10.0
"""How much longer we wait than Engine.IO holds a poll."""
_HOP_BY_HOP = {
    *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization"),
    *(b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"),
}
# uvicorn adds its own to each answer.
_SERVERS_OWN = {b"date", b"server"}
_HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?", re.ASCII)
_GOING_AWAY, _SERVICE_RESTART = 1001, 1012


def attach_forwarding(app: FastAPI, sockets: socketio.AsyncServer, peers: Peers) -> None:
    """Puts our number into new session ids, and forwards requests for the sessions of others."""
    engine = sockets.eio
    engine.generate_id = peers.new_id
    app.add_middleware(
        Forwarding, peers=peers, answer_s=engine.ping_interval + engine.ping_timeout + _MARGIN_S
    )


class Forwarding:
    """ASGI middleware in front of Socket.IO's. Requests from a peer are never forwarded again."""

    def __init__(self, app: ASGIApp, peers: Peers, answer_s: float) -> None:
        self._app = app
        self._peers = peers
        self._timeout = httpx.Timeout(answer_s, connect=_CONNECT_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        owner = self._owner(scope)
        if owner is None:
            await self._app(scope, receive, send)
            return
        pass_on = self._pass_http if scope["type"] == "http" else self._pass_websocket
        if not await pass_on(owner, scope, receive, send):
            # The owner and its sessions are gone. Our server answers as for any unknown session,
            # and the client connects again.
            await self._app(scope, _without_body if scope["type"] == "http" else receive, send)

    def _owner(self, scope: Scope) -> int | None:
        if scope["type"] not in ("http", "websocket") or not is_socket_path(scope["path"]):
            return None
        if is_from_peer(scope) or is_too_large(scope):
            return None
        session_ids = parse_qs(scope["query_string"].decode("latin-1")).get("sid")
        return self._peers.other_owner(session_ids[0]) if session_ids else None

    async def _pass_http(self, owner: int, scope: Scope, receive: Receive, send: Send) -> bool:
        """Returns whether an answer was begun."""
        request = httpx.Request(
            scope["method"],
            httpx.URL("http://localhost").copy_with(raw_path=_target(scope).encode("ascii")),
            headers=_end_to_end(scope["headers"]),
            content=_body(receive) if _has_body(scope["headers"]) else None,
            extensions={"timeout": self._timeout.as_dict()},
        )
        begun = False
        async with self._peers.transport(owner) as transport:
            try:
                response = await transport.handle_async_request(request)
                begun = True
                await _relay(response, send)
            except (httpx.TransportError, _NotPassed) as error:
                log.warning("peer_failed", peer=owner, reason=type(error).__name__)
        return begun

    async def _pass_websocket(self, owner: int, scope: Scope, receive: Receive, send: Send) -> bool:
        """Returns whether the client was accepted."""
        try:
            peer = await unix_connect(
                str(self._peers.socket_path(owner)),
                f"ws://{_host(scope)}{_target(scope)}",
                additional_headers=_of_websocket(scope["headers"]),
                user_agent_header=None,
                compression=None,
                proxy=None,
                max_size=MAX_MESSAGE_BYTES,
                open_timeout=_CONNECT_S,
                close_timeout=_CONNECT_S,
                ping_interval=None,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            log.warning("peer_failed", peer=owner, reason=type(error).__name__)
            return False
        async with peer:
            await receive()  # websocket.connect
            await send({"type": "websocket.accept"})
            await _bridge(receive, send, peer)
        return True


class _NotPassed(Exception):
    """The client has left, or sends more than Engine.IO accepts."""


def _has_body(headers: Headers) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _value in headers)


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    """Yields the request's body as it arrives. Raises _NotPassed."""
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _NotPassed("the client has left")
        block = message.get("body", b"")
        size += len(block)
        if size > MAX_MESSAGE_BYTES:
            raise _NotPassed("the body is too large")
        more = message.get("more_body", False)
        if block:
            yield block


async def _without_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _relay(response: httpx.Response, send: Send) -> None:
    headers = [
        (name.lower(), value)
        for name, value in _end_to_end(response.headers.raw)
        if name.lower() not in _SERVERS_OWN
    ]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    async for block in response.aiter_raw():
        await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _bridge(receive: Receive, send: Send, peer: ClientConnection) -> None:
    """Passes messages both ways until one side closes; closes the other with the same code."""
    upward = asyncio.create_task(_to_peer(receive, peer))
    downward = asyncio.create_task(_to_client(send, peer))
    tasks = (upward, downward)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if upward.cancelled():
        await _close_client(send, peer)
    else:
        message = upward.result()
        code = _sendable(message.get("code"), _GOING_AWAY)
        await peer.close(code, message.get("reason") or "")


async def _to_peer(receive: Receive, peer: ClientConnection) -> Message:
    """Passes messages on. Returns the message that ends the client's side."""
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        try:
            await peer.send(message["bytes"] if text is None else text)
        except ConnectionClosed:
            await asyncio.Event().wait()  # until the peer's earlier messages have been passed on
    return message


async def _to_client(send: Send, peer: ClientConnection) -> None:
    with suppress(ConnectionClosed):  # not a clean close; the close code shows that
        async for message in peer:
            key = "text" if isinstance(message, str) else "bytes"
            await send({"type": "websocket.send", key: message})


async def _close_client(send: Send, peer: ClientConnection) -> None:
    code = _sendable(peer.close_code, _SERVICE_RESTART)
    with suppress(OSError):  # it has left as well
        await send({"type": "websocket.close", "code": code, "reason": peer.close_reason or ""})


def _sendable(code: int | None, instead: int) -> int:
    """Returns the close code; for one that must not be sent, 1000 or `instead`."""
    if code == 1005:
        return 1000
    return instead if code in (None, 1004, 1006, 1015) else int(code or instead)


def _target(scope: Scope) -> str:
    """Path and query, without characters that are invalid in a request line."""
    query: bytes = scope["query_string"]
    return f"{PATH}/?{query.decode('ascii', 'ignore')}"


def _host(scope: Scope) -> str:
    """The `Host` header, which is needed to check a browser's origin."""
    for name, value in scope["headers"]:
        host: str = value.decode("latin-1")
        if name == b"host" and _HOST.fullmatch(host):
            return host
    return "localhost"


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Removes the headers that are meant only for this connection (RFC 9110, 7.6.1)."""
    headers = list(headers)
    dropped = set(_HOP_BY_HOP)
    for name, value in headers:
        if name.lower() == b"connection":
            dropped.update(option.strip().lower() for option in value.split(b","))
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def _of_websocket(headers: Headers) -> list[tuple[str, str]]:
    """Headers of a WebSocket request, without those that the new handshake creates itself."""
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in _end_to_end(headers)
        if name != b"host" and not name.startswith(b"sec-websocket-")
    ]
