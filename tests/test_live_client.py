"""The client for live audio, where it ends before its session."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress

from conftest import running
from echostream.live_client import LiveClient
from fakes import FakeTranscriber, fake_pipeline
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


async def test_a_refusal_that_nobody_reads_is_no_fault() -> None:
    reported = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, told: reported.append(told))
    server = running(settings_of(), fake_pipeline(FakeTranscriber()))
    url = await asyncio.to_thread(server.__enter__)
    try:
        client = await asyncio.wait_for(give_up(url), WAIT_S)
        async with asyncio.timeout(WAIT_S):
            while client() is not None:  # the library's tasks end one after another
                await asyncio.sleep(0.01)
                gc.collect()
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)
    assert reported == []
