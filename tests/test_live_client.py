"""The client for live audio, where it ends before its session."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from conftest import running
from echostream.live_client import LiveClient
from fakes import FakeTranscriber, fake_pipeline
from jobs.place import until
from web.support import WAIT_S, settings_of


class GivesUp(LiveClient):
    """Its caller gives up in the moment in which the server refuses the session."""

    caller: asyncio.Future[object]

    def _fail(self, error: Exception) -> None:
        super()._fail(error)
        self.caller.cancel()


async def silence() -> AsyncIterator[bytes]:
    yield bytes(3200)


async def give_up(url: str) -> "weakref.ref[GivesUp]":
    client = GivesUp(
        url, None, {"ext": "nothing"}, on_partial=lambda _: None, on_fault=lambda _: None
    )
    client.caller = asyncio.ensure_future(client.run(silence()))
    with suppress(asyncio.CancelledError):
        await client.caller
    assert client.caller.cancelled()
    return weakref.ref(client)


async def until_forgotten(client: "weakref.ref[LiveClient]") -> None:
    """The library's tasks, which end one after another, have the client until then."""
    async with asyncio.timeout(WAIT_S):
        while client() is not None:
            await asyncio.sleep(0.01)
            gc.collect()


async def test_a_refusal_that_nobody_reads_is_no_fault() -> None:
    reported = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, told: reported.append(told))
    server = running(settings_of(), fake_pipeline(FakeTranscriber()))
    url = await asyncio.to_thread(server.__enter__)
    try:
        client = await asyncio.wait_for(give_up(url), WAIT_S)
        await until_forgotten(client)
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)
    assert reported == []


class Way:
    """Passes bytes between clients and a server, until it is cut. New connections wait then until
    it `is_open`."""

    def __init__(self, url: str) -> None:
        self._port = urlsplit(url).port
        self._ends = set[asyncio.StreamWriter]()
        self.has_guest = asyncio.Event()
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.has_guest.set()
        await self.is_open.wait()
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends |= {writer, to_writer}
        try:
            await asyncio.gather(self._pass(reader, to_writer), self._pass(to_reader, writer))
        finally:
            self._ends -= {writer, to_writer}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65_536):
                writer.write(piece)
        writer.close()

    def cut(self) -> None:
        self.is_open.clear()
        self.has_guest.clear()
        for end in self._ends:
            end.transport.abort()

    @property
    def is_empty(self) -> bool:
        return not self._ends


async def test_a_client_that_ends_while_it_connects_again_leaves_no_connection() -> None:
    server = running(settings_of(), fake_pipeline(FakeTranscriber()))
    url = await asyncio.to_thread(server.__enter__)
    way = Way(url)

    async def sound_that_breaks_off() -> AsyncIterator[bytes]:
        yield bytes(3200)
        yield bytes(3200)  # the first has arrived
        way.cut()
        await way.has_guest.wait()
        asyncio.get_running_loop().call_soon(way.is_open.set)
        raise RuntimeError("the microphone is gone")

    try:
        async with await asyncio.start_server(way, "127.0.0.1", 0) as hall:
            port = hall.sockets[0].getsockname()[1]
            client = speak(f"http://127.0.0.1:{port}", sound_that_breaks_off())
            await until_forgotten(await asyncio.wait_for(client, WAIT_S))
            await until(lambda: way.is_empty)
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def speak(url: str, sound: AsyncIterator[bytes]) -> "weakref.ref[LiveClient]":
    start = {"ext": "pcm", "sampleRate": 16_000}
    client = LiveClient(url, None, start, on_partial=lambda _: None, on_fault=lambda _: None)
    with pytest.raises(RuntimeError, match="microphone"):
        await client.run(sound)
    return weakref.ref(client)
