"""The web server's own parts."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from echostream.web.server import WebSocket
from web.process import SERVE, server_process


class Wire(asyncio.Transport):
    """Keeps what is written. Closed, it is lost only later, as a socket is."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_answered = asyncio.Event()
        self._is_closing = False

    def write(self, data: "bytes | bytearray | memoryview") -> None:
        self.written += data
        self.is_answered.set()

    def close(self) -> None:
        self._is_closing = True

    def is_closing(self) -> bool:
        return self._is_closing


async def _accepts(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


@pytest.fixture
async def connected() -> tuple[WebSocket, Wire, ClientProtocol]:
    """A WebSocket that has been accepted, its wire, and its client."""
    config = uvicorn.Config(_accepts, log_config=None)
    config.load()
    socket = WebSocket(config, ServerState(), {})
    wire = Wire()
    socket.connection_made(wire)
    client = ClientProtocol(parse_uri("ws://localhost/"))
    client.send_request(client.connect())
    socket.data_received(b"".join(client.data_to_send()))
    await wire.is_answered.wait()
    client.receive_data(wire.written)
    return socket, wire, client


async def test_a_client_that_leaves_as_the_server_stops(
    connected: tuple[WebSocket, Wire, ClientProtocol],
) -> None:
    socket, wire, client = connected
    client.send_close(1000)
    socket.data_received(b"".join(client.data_to_send()))
    told = wire.written
    socket.shutdown()
    assert wire.is_closing()
    assert wire.written == told
    socket.connection_lost(None)


async def test_a_client_that_stays_is_told_that_the_server_stops(
    connected: tuple[WebSocket, Wire, ClientProtocol],
) -> None:
    socket, wire, client = connected
    told = len(wire.written)
    socket.shutdown()
    client.receive_data(wire.written[told:])
    assert client.close_rcvd is not None
    assert client.close_rcvd.code == 1012
    socket.connection_lost(None)


def test_it_runs_the_same_whatever_is_installed_beside_it(tmp_path: Path) -> None:
    """uvicorn would take uvloop, with which the engine's process cannot be started."""
    for name in ("uvloop", "httptools"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not for us')")
    with server_process(*SERVE, WEB_CONCURRENCY="1", PYTHONPATH=str(tmp_path)) as server:
        assert httpx.get(f"{server.url}/health", trust_env=False).json() == {"status": "ok"}
