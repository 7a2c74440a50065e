"""Engine.IO with limits: what a client may send before and after it has shown its token, and how a
session ends whose packets are malformed.

The library reads a request's packets all in one go, and writes each malformed one into the log with
its trace, so that one request could keep a process busy for a minute.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import engineio
import socketio
import structlog
from engineio import async_socket
from engineio.exceptions import EngineIOError, SocketIsClosedError
from engineio.packet import Packet
from socketio.packet import Packet as SocketIOPacket

from echostream.errors import LiveError, RequestTimeout
from echostream.given_json import parse
from echostream.web.addresses import address_of
from echostream.web.keyring import Caller

log = structlog.get_logger(__name__)

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Largest message of a client, usually an `audio_chunk`; a larger one ends its connection."""
_MAX_PACKETS = 50_000
"""In one request. A polling client sends all it has in one: eight minutes of 20 ms pieces, each of
two packets, if it was cut off for so long."""
_MAX_STRANGERS_BYTES, _MAX_STRANGERS_PACKETS = 64 * 1024, 16
"""Before CONNECT was accepted: enough for a token."""
_MAX_ATTACHMENTS = 16
_MAX_STRANGERS = 1000
"""Sessions of a process whose CONNECT has not been accepted yet."""
_MAX_STRANGERS_OF_ADDRESS = 100
"""Those of one address, so that it cannot take the places of all others."""
_CONNECT_WITHIN_S = 45.0
_SEPARATOR = "\x1e"
_LONGEST_REASON = 200


class GivenJson:
    """How both protocols read and write JSON."""

    loads = staticmethod(parse)
    dumps = staticmethod(json.dumps)


class BoundedPacket(SocketIOPacket):  # type: ignore[misc]
    """A Socket.IO packet that does not wait for any number of attachments."""

    def decode(self, encoded_packet: Any) -> int:
        count: int = super().decode(encoded_packet)
        if count > _MAX_ATTACHMENTS:
            raise ValueError("too many attachments")
        return count


class Session(async_socket.AsyncSocket):  # type: ignore[misc]
    """A client's session. The first malformed packet ends it, with one line in the log."""

    def __init__(self, server: "EngineServer", sid: str) -> None:
        super().__init__(server, sid)
        self.caller: Caller | None = None
        """Its client, once it has shown its token, if one is needed."""
        self.address = ""
        self._opened_s = time.monotonic()

    @property
    def accepted(self) -> bool:
        return self.caller is not None

    async def handle_post_request(self, environ: dict[str, Any]) -> None:
        """Reads the packets of a polling client. Others are served between any two of them."""
        try:
            for encoded in await self._packets(environ):
                await self._decode_and_receive(encoded)
                await asyncio.sleep(0)
        except SocketIsClosedError:
            if not self.closed:  # else the library would not know what to answer
                raise

    async def receive(self, packet: Packet) -> None:
        """Raises SocketIsClosedError if the packet is malformed."""
        try:
            if isinstance(packet.data, (str, bytes)):
                self._check_size(len(packet.data))
            await super().receive(packet)
        except SocketIsClosedError:
            raise
        except Exception as error:
            raise self._refused(error) from error

    async def check_ping_timeout(self) -> bool:
        """Also ends a session that is not accepted in time."""
        age_s = time.monotonic() - self._opened_s
        if not (self.accepted or self.closing or self.closed) and age_s > _CONNECT_WITHIN_S:
            await self.close(wait=False, reason=self.server.reason.PING_TIMEOUT)
            await self.queue.put(None)  # ends its poll, or its WebSocket
            return False
        return bool(await super().check_ping_timeout())

    async def end(self) -> None:
        """Ends the session at once, with its poll or its WebSocket."""
        await self.close(wait=False, reason=self.server.reason.SERVER_DISCONNECT)
        await self.queue.put(None)

    async def _websocket_handler(self, socket: Any) -> None:
        try:
            await super()._websocket_handler(socket)
        except (ValueError, EngineIOError) as error:  # a message that is not a packet
            self._refused(error)
            await self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_ERROR)
            await self.queue.put(None)
            await socket.close()

    async def _packets(self, environ: dict[str, Any]) -> list[str]:
        """Returns the encoded packets of a request. Raises SocketIsClosedError if they are too
        many, too large or not text."""
        length = int(environ.get("CONTENT_LENGTH", "0"))
        try:
            self._check_size(length)
            text = (await environ["wsgi.input"].read(length)).decode()
            if text.startswith("d="):  # from a script element, as old browsers do
                text = parse_qs(text, max_num_fields=1)["d"][0]
            most = _MAX_PACKETS if self.accepted else _MAX_STRANGERS_PACKETS
            if text.count(_SEPARATOR) >= most:
                raise ValueError(f"more than {most} packets")
        except (ValueError, KeyError, RequestTimeout) as error:
            raise self._refused(error) from error
        return text.split(_SEPARATOR) if text else []

    async def _decode_and_receive(self, encoded: str) -> None:
        try:
            packet = Packet(encoded_packet=encoded)
        except ValueError as error:
            raise self._refused(error) from error
        await self.receive(packet)

    def _check_size(self, size: int) -> None:
        if size > (MAX_MESSAGE_BYTES if self.accepted else _MAX_STRANGERS_BYTES):
            raise ValueError("too large")

    def _refused(self, error: Exception) -> EngineIOError:
        """Logs why the session ends, and returns what makes the library end it."""
        reason = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
        log.warning("socket_refused", accepted=self.accepted, reason=reason)
        return SocketIsClosedError(reason)


# The server makes its sessions by this name and has no other way to choose their class.
async_socket.AsyncSocket = Session


def _address_in(environ: dict[str, Any]) -> str:
    return address_of(environ.get("asgi.scope", {}))


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]
    """The transport of Socket.IO."""

    most_of_address: int

    async def disconnect(self, sid: str | None = None) -> None:
        """Ends a connection. The library would wait for the client to notice, and a client that
        never does would leave a request running forever."""
        if sid is None or sid not in self.sockets:
            await super().disconnect(sid)
        else:
            await self.sockets[sid].close(wait=False, reason=self.reason.SERVER_DISCONNECT)

    async def _handle_connect(self, *request: Any, **options: Any) -> Any:
        if self._is_full(_address_in(request[0])):
            return self._bad_request("Too many connections")
        return await super()._handle_connect(*request, **options)

    def _is_full(self, address: str) -> bool:
        """Whether there is no place for another session of this address. A session outlives its
        connections, so those are no bound for it."""
        sessions: list[Session] = list(self.sockets.values())
        strangers = [session for session in sessions if not session.accepted]
        if len(strangers) >= _MAX_STRANGERS:
            return True
        if not address:  # a process of this host
            return False
        return (
            sum(session.address == address for session in strangers) >= _MAX_STRANGERS_OF_ADDRESS
            or sum(session.address == address for session in sessions) >= self.most_of_address
        )

    async def _trigger_event(self, event: str, *args: Any, **options: Any) -> Any:
        if event == "message":
            # The library would log an error with its trace and go on; `Session` ends.
            return await self.handlers[event](*args)
        if event == "connect":
            session_id, environ = args
            self.sockets[session_id].address = _address_in(environ)
        return await super()._trigger_event(event, *args, **options)


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]
    """Socket.IO on such a transport."""

    def __init__(self, most_of_address: int, **options: Any) -> None:
        """One address may have `most_of_address` sessions."""
        super().__init__(
            async_mode="asgi",
            # Handlers of one client run one after another, so that its chunks keep their order.
            async_handlers=False,
            max_http_buffer_size=MAX_MESSAGE_BYTES,
            serializer=BoundedPacket,
            json=GivenJson,
            **options,
        )
        self.eio.most_of_address = most_of_address

    def accept(self, sid: str, caller: Caller) -> None:
        """Gives a client that has shown its token the larger limits."""
        session = self._session(sid)
        if session is not None:
            session.caller = caller

    def caller(self, sid: str) -> Caller:
        """Raises LiveError if the client has just left."""
        session = self._session(sid)
        if session is None or session.caller is None:
            raise LiveError("the connection has ended")
        return session.caller

    async def end(self, is_over: Callable[[Caller], bool]) -> None:
        """Ends the sessions of clients for which it is true."""
        sessions: list[Session] = list(self.eio.sockets.values())
        over = [one.end() for one in sessions if one.caller and is_over(one.caller)]
        for fault in await asyncio.gather(*over, return_exceptions=True):
            if isinstance(fault, Exception):
                log.error("socket_not_ended", exc_info=fault)

    def _session(self, sid: str) -> Session | None:
        found: Session | None = self.eio.sockets.get(self.manager.eio_sid_from_sid(sid, "/"))
        return found

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer
