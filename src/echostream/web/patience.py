"""How long a connection may take to send a request: its headers at once, its body at a rate.

Without such limits every slow or silent connection is kept for ever, and costs its sender nothing.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from echostream.errors import RequestTimeout
from echostream.web.addresses import address_of

HEADERS_S = 20.0
BODY_S = 30.0
"""How long a body may keep us waiting, beside the time that it has for its bytes."""
LEAST_BYTES_PER_S = 1_000


_TOO_MANY = (
    b"HTTP/1.1 429 Too Many Requests\r\n"
    b"Connection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"
)


class PatientHttp(H11Protocol):
    """Closes a connection whose request does not come, or whose headers do not come to an end, and
    one of an address that has too many."""

    headers_s = HEADERS_S

    def __init__(self, *given: Any, most_of_address: int | None = None, **named: Any) -> None:
        super().__init__(*given, **named)
        self._most_of_address = most_of_address
        self._giving_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self._has_too_many():
            transport.write(_TOO_MANY)
            transport.close()
        else:
            self._look()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _has_too_many(self) -> bool:
        """Whether its address has more connections than it may. One that a proxy has opened counts
        as its client's, once its first request tells who that is."""
        if self._most_of_address is None or (ours := _address_of(self)) == "":
            return False
        return sum(_address_of(one) == ours for one in self.connections) > self._most_of_address

    def _look(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._giving_up is None:
            self._giving_up = self.loop.call_later(self.headers_s, self.transport.close)

    def _stop(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None


def _address_of(connection: Any) -> str:
    """Of a connection of uvicorn's, to HTTP or to a WebSocket."""
    return address_of(getattr(connection, "scope", None) or {"client": connection.client})


class SteadyBodies:
    """ASGI middleware: reading a body raises RequestTimeout if it comes too slowly. Only the time
    in which somebody waits for it counts."""

    def __init__(
        self, app: ASGIApp, *, wait_s: float = BODY_S, bytes_per_s: float = LEAST_BYTES_PER_S
    ) -> None:
        self._app = app
        self._wait_s = wait_s
        self._bytes_per_s = bytes_per_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        left_s = self._wait_s
        is_over = False

        async def receive_steadily() -> Message:
            nonlocal left_s, is_over
            if is_over:  # what comes now is the end of the connection
                return await receive()
            loop = asyncio.get_running_loop()
            started = loop.time()
            with _timing_out():
                async with asyncio.timeout(left_s):
                    message = await receive()
            left_s += len(message.get("body", b"")) / self._bytes_per_s - (loop.time() - started)
            is_over = not message.get("more_body", False)
            return message

        await self._app(scope, receive_steadily, send)


@contextmanager
def _timing_out() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise RequestTimeout("the body came too slowly") from error
