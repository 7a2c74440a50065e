"""Requests for a session of another process: two servers that each have a port of their own here,
so that what comes to one port must be passed on to the other."""

import asyncio
import json
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, unix_serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from conftest import running
from echostream.web.engine_io import MAX_MESSAGE_BYTES
from echostream.web.listener import SharedListener, Turn
from echostream.web.peers import Peers
from fakes import FakeInsights, FakeTranscriber, fake_pipeline
from web.support import WAIT_S, settings_of, wait_until

POLL = "/socket.io/?EIO=4&transport=polling"
UPGRADE = "/socket.io/?EIO=4&transport=websocket"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, as those of Unix sockets must be."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextmanager
def process(folder: Path, number: int) -> Iterator[str]:
    """A server that is process `number`; gives its base URL."""
    pipeline = fake_pipeline(FakeTranscriber(), FakeInsights())
    with running(settings_of(), pipeline, Peers(folder, number)) as url:
        yield url


@pytest.fixture
def near(folder: Path) -> Iterator[str]:
    """Process 0, which is asked."""
    with process(folder, 0) as url:
        yield url


@pytest.fixture
def far(folder: Path) -> Iterator[str]:
    """Process 1, which has the session."""
    with process(folder, 1) as url:
        yield url


def opened(url: str) -> str:
    """The id of a new session."""
    text = httpx.get(url + POLL).raise_for_status().text
    session_id: str = json.loads(text[1:])["sid"]
    return session_id


def poll_url(url: str, session_id: str) -> str:
    return f"{url}{POLL}&sid={session_id}"


def socket_url(url: str, session_id: str) -> str:
    return f"{url.replace('http', 'ws')}{UPGRADE}&sid={session_id}"


def joined(near: str, far: str) -> str:
    """The id of a session of `far` in the default namespace, by way of `near`."""
    session_id = opened(far)
    assert session_id.startswith("1-")
    answer = httpx.post(poll_url(near, session_id), content="40")
    assert (answer.status_code, answer.text) == (200, "OK")
    assert httpx.get(poll_url(near, session_id)).text.startswith('40{"sid":"1-')
    return session_id


def test_polling_by_way_of_another(near: str, far: str) -> None:
    session_id = joined(near, far)
    answer = httpx.get(poll_url(far, session_id).replace("transport=polling", "transport=none"))
    assert answer.status_code == 400
    large = '42["unknown","' + "x" * 1_000_000 + '"]'
    assert httpx.post(poll_url(near, session_id), content=large).text == "OK"
    assert httpx.post(poll_url(near, session_id), content="40/none").text == "OK"
    assert httpx.get(poll_url(near, session_id)).text.startswith("44/none")
    with ThreadPoolExecutor() as pool:
        poll = pool.submit(httpx.get, poll_url(near, session_id), timeout=WAIT_S)
        assert httpx.post(poll_url(near, session_id), content="1").text == "OK"
        assert poll.result().status_code in (200, 400)  # at once, in which order they came
    for url in (near, far):
        assert httpx.get(poll_url(url, session_id)).status_code == 400
        assert httpx.post(poll_url(url, session_id), content="40").status_code == 400


def test_the_origin_is_checked_by_the_owner(near: str, far: str) -> None:
    session_id = joined(near, far)
    httpx.post(poll_url(near, session_id), content="40/none")
    foreign = httpx.get(poll_url(near, session_id), headers={"Origin": "https://a.example"})
    assert foreign.status_code == 400
    assert "not an accepted origin" in foreign.text
    asked = httpx.options(poll_url(near, session_id), headers={"Origin": near})
    assert asked.headers["access-control-allow-methods"] == "OPTIONS, GET, POST"
    own = httpx.get(poll_url(near, session_id), headers={"Origin": near})
    assert own.headers["access-control-allow-origin"] == near
    assert [len(own.headers.get_list(name)) for name in ("date", "server")] == [1, 1]


async def test_the_origin_of_a_websocket(near: str, far: str) -> None:
    session_id = joined(near, far)
    with pytest.raises(InvalidStatus, match="403"):
        await connect(socket_url(near, session_id), origin="https://a.example")
    async with connect(socket_url(near, session_id), origin=near):
        pass


async def test_the_upgrade_by_way_of_another(near: str, far: str) -> None:
    session_id = joined(near, far)
    async with connect(socket_url(near, session_id), max_size=None) as stream:
        await stream.send("2probe")
        assert await stream.recv() == "3probe"
        await stream.send("5")
        await stream.send("40/none")
        received = [await stream.recv()]
        while not str(received[-1]).startswith("44/none"):
            received.append(await stream.recv())
    # Closing it ends the session.
    gone = poll_url(far, session_id)
    await asyncio.to_thread(
        wait_until, lambda: "Invalid session" in httpx.get(gone).text, "the session has ended"
    )


def test_what_came_from_a_peer_is_not_passed_on(near: str, far: str, folder: Path) -> None:
    session_id = opened(near)
    transport = httpx.HTTPTransport(uds=str(Peers(folder, 0).socket_path(1)))
    with httpx.Client(transport=transport) as peer:
        answer = peer.get(poll_url("http://localhost", session_id))
    assert (answer.status_code, answer.json()) == (400, f"Invalid session {session_id}")


@pytest.mark.parametrize("session_id", ["1-abc", "7-abc", "99999-abc", "-abc", "1-", "../1-abc"])
async def test_the_session_of_a_process_that_is_gone(near: str, session_id: str) -> None:
    for answer in (
        httpx.get(poll_url(near, session_id)),
        httpx.post(poll_url(near, session_id), content="40"),
    ):
        assert answer.status_code == 400
        assert answer.json() == f"Invalid session {session_id}"
    with pytest.raises(InvalidStatus, match="403"):
        await connect(socket_url(near, session_id))


def test_a_body_that_is_too_large(near: str, far: str) -> None:
    session_id = joined(near, far)
    for url in (near, far):
        answer = httpx.post(poll_url(url, session_id), content=b"4" * (MAX_MESSAGE_BYTES + 1))
        assert answer.status_code == 413
    # Without a length it is cut off, and Engine.IO does not take such bodies anyway.
    blocks = (b"4" * 1_000_000 for _ in range(MAX_MESSAGE_BYTES // 1_000_000 + 1))
    assert httpx.post(poll_url(near, session_id), content=blocks).status_code == 400
    assert httpx.post(poll_url(near, session_id), content="40/none").text == "OK"


# --- peers that fail, by stand-ins ----------------------------------------------------------------


@contextmanager
def raw_peer(folder: Path, answer: bytes) -> Iterator[None]:
    """A process 1 that says this to one connection and breaks it off."""
    with Peers(folder, 1).listen() as listener:
        listener.listen()

        def serve() -> None:
            stream, _ = listener.accept()
            with stream:
                stream.recv(65536)
                stream.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def test_a_peer_that_dies_before_it_answers(near: str, folder: Path) -> None:
    with raw_peer(folder, b""):
        answer = httpx.get(poll_url(near, "1-abc"))
    assert (answer.status_code, answer.json()) == (400, "Invalid session 1-abc")


def test_a_peer_that_dies_in_its_answer(near: str, folder: Path) -> None:
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it"
    with raw_peer(folder, begun), pytest.raises(httpx.RemoteProtocolError):
        httpx.get(poll_url(near, "1-abc"))


@dataclass
class SocketPeer:
    """A process 1 that speaks WebSocket, with one connection."""

    connection: "asyncio.Future[ServerConnection]"
    ended: asyncio.Event


@asynccontextmanager
async def socket_peer(folder: Path) -> AsyncIterator[SocketPeer]:
    peer = SocketPeer(asyncio.get_running_loop().create_future(), asyncio.Event())

    async def serve(connection: ServerConnection) -> None:
        peer.connection.set_result(connection)
        await connection.wait_closed()
        peer.ended.set()

    path = str(Peers(folder, 1).socket_path(1))
    async with unix_serve(serve, path, max_size=None):
        yield peer


async def test_messages_go_both_ways(near: str, folder: Path) -> None:
    async with (
        socket_peer(folder) as peer,
        connect(socket_url(near, "1-abc"), max_size=None) as client,
    ):
        connection = await peer.connection
        for message in ("text", "ü" * 1000, b"binary", b"x" * 3_000_000, ""):
            await client.send(message)
            assert await connection.recv() == message
            await connection.send(message)
            assert await client.recv() == message


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4321])
async def test_close_codes_are_passed_on(near: str, folder: Path, code: int) -> None:
    async with socket_peer(folder) as peer, connect(socket_url(near, "1-abc")) as client:
        connection = await peer.connection
        await connection.send("the last")
        await connection.close(code, "over")
        assert await client.recv() == "the last"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (code, "over")
    async with socket_peer(folder) as peer, connect(socket_url(near, "1-abc")) as client:
        connection = await peer.connection
        await client.close(code, "enough")
        await peer.ended.wait()
        assert (connection.close_code, connection.close_reason) == (code, "enough")


@pytest.mark.parametrize("dies", ["client", "peer"])
async def test_an_end_that_breaks_off_ends_the_other(near: str, folder: Path, dies: str) -> None:
    async with socket_peer(folder) as peer, connect(socket_url(near, "1-abc")) as client:
        connection = await peer.connection
        if dies == "client":
            client.transport.abort()
            await peer.ended.wait()
            assert connection.close_code in (1000, 1001)
        else:
            connection.transport.abort()
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1012


@pytest.mark.parametrize("sender", ["client", "peer"])
async def test_a_message_that_is_too_large_ends_both(near: str, folder: Path, sender: str) -> None:
    async with socket_peer(folder) as peer, connect(socket_url(near, "1-abc")) as client:
        connection = await peer.connection
        with pytest.raises(ConnectionClosed):  # noqa: PT012 - the send may succeed at first
            one = client if sender == "client" else connection
            await one.send(b"x" * (MAX_MESSAGE_BYTES + 1))
            await one.recv()
        await peer.ended.wait()
        await client.wait_closed()


# --- whose turn it is -----------------------------------------------------------------------------


def test_each_connection_is_taken_by_the_one_whose_turn_it_is(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as port:
        port.setblocking(False)
        turn = Turn(folder / "turn", 3)
        listeners = [
            SharedListener(port.dup().detach(), number, Turn(folder / "turn", 3))
            for number in range(3)
        ]
        taken = []
        for _ in range(60):
            with socket.create_connection(port.getsockname()):
                drawn = turn.read()[1]
                for number in {0, 1, 2} - {drawn}:
                    with pytest.raises(BlockingIOError):
                        listeners[number].accept()
                listeners[drawn].accept()[0].close()
                taken.append(drawn)
        assert set(taken) == {0, 1, 2}
        for listener in listeners:
            listener.close()


def test_a_connection_does_not_wait_for_one_that_is_dead(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as port:
        port.setblocking(False)
        turn = Turn(folder / "turn", 2)
        while turn.read()[1] != 1:
            turn.pass_on()
        with (
            SharedListener(port.dup().detach(), 0, turn) as alive,
            socket.create_connection(port.getsockname()),
        ):
            wait_until(lambda: took(alive.accept), "the other one takes it")


def took(accept: Callable[[], tuple[socket.socket, object]]) -> bool:
    try:
        accept()[0].close()
    except BlockingIOError:
        return False
    return True
