"""The client for live audio, where it ends before its session."""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from conftest import running
from echostream.live_client import LiveClient, Message
from fakes import FakeTranscriber, fake_pipeline
from web.support import WAIT_S, settings_of


async def test_a_refusal_that_nobody_reads_is_no_fault() -> None:
    """The server refuses the session in the moment in which its client gives up."""
    reported = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, told: reported.append(told))
    session: asyncio.Task[Message]

    class Client(LiveClient):
        def _fail(self, error: Exception) -> None:
            super()._fail(error)
            session.cancel()

    async def audio() -> AsyncIterator[bytes]:
        yield bytes(3200)

    server = running(settings_of(), fake_pipeline(FakeTranscriber()))
    url = await asyncio.to_thread(server.__enter__)
    try:
        client = Client(
            url, None, {"ext": "nothing"}, on_partial=lambda _: None, on_fault=lambda _: None
        )
        session = asyncio.create_task(client.run(audio()))
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(session, WAIT_S)
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)
    del client, session
    gc.collect()
    await asyncio.sleep(0)
    assert reported == []
