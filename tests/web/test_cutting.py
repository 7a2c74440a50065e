"""What clients are told whose requests a stopping server cuts off, whatever they wait for."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2 as httpx
import pytest
import socketio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from echostream.domain import TranscribeOptions
from echostream.engine import LivePlace, LocalEngine, Place, Registry
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.web.app import create_app
from echostream.web.deps import services_of
from echostream.web.listener import open_listener
from echostream.web.server import Server
from fakes import FakeInsights, FakeTranscriber
from web.support import WAIT_S, audio, settings_of, wav

BUSY = "server_busy"


class Stuck(LocalEngine):
    """Never has a place for anybody. `asked` counts those who wait for one."""

    def __init__(self, settings: Settings) -> None:
        fake = FakeTranscriber()
        super().__init__(settings, Registry.only(lambda: fake, fake.model))
        self.asked = asyncio.Semaphore(0)

    @asynccontextmanager
    async def take(self, *, patient: bool = False) -> AsyncIterator[Place]:
        await self._wait()
        async with super().take(patient=patient) as place:
            yield place

    async def live(self, options: TranscribeOptions, *, again: bool = False) -> LivePlace:
        await self._wait()
        return await super().live(options, again=again)

    async def _wait(self) -> None:
        self.asked.release()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:  # as work does that waits for its thread
            await asyncio.sleep(0.2)
            raise


@pytest.fixture
async def served() -> AsyncIterator[tuple[Server, Stuck, str]]:
    settings = settings_of()
    engine = Stuck(settings)
    app = create_app(settings, lambda given: Pipeline(given, engine, FakeInsights()))
    with open_listener(settings.model_copy(update={"port": 0})) as listener:
        server = Server(app, settings)
        serving = asyncio.create_task(server.serve([listener]))
        host, port = listener.getsockname()[:2]
        yield server, engine, f"http://{host}:{port}"
        server.should_exit = True
        await asyncio.wait_for(serving, WAIT_S)


async def _cut_off(server: Server, engine: Stuck, waiting: int) -> None:
    """Once so many clients wait."""
    async with asyncio.timeout(WAIT_S):
        for _ in range(waiting):
            await engine.asked.acquire()
    services_of(server._app).abort.set()


async def test_requests(served: tuple[Server, Stuck, str]) -> None:
    server, engine, url = served
    async with httpx.AsyncClient(base_url=url, timeout=WAIT_S) as client:
        asked = [
            client.post("/upload-audio", files=audio()),
            client.post("/upload-audio", files=audio(), headers={"Accept": "text/event-stream"}),
            client.post("/api/finalize", files=audio()),
        ]
        cutting = asyncio.create_task(_cut_off(server, engine, len(asked)))
        plain, stream, final = await asyncio.gather(*asked)
        await cutting
        late = await client.post("/upload-audio", files=audio())
        for answer in (plain, final, late):
            assert (answer.status_code, answer.json()["error"]) == (503, BUSY)
            assert answer.headers["retry-after"] == "10"
            assert answer.headers["x-request-id"] == answer.json()["requestId"]
        assert BUSY in stream.text
        sdk = await client.post("/v1/audio/transcriptions", files={"file": ("talk.wav", wav())})
        assert (sdk.status_code, sdk.json()["error"]["code"]) == (503, BUSY)


async def test_live_audio(served: tuple[Server, Stuck, str]) -> None:
    server, engine, url = served
    async with socketio.AsyncSimpleClient() as client:
        await client.connect(url, transports=["websocket"])
        cutting = asyncio.create_task(_cut_off(server, engine, 1))
        answer = await client.call("start_audio", {"ext": "pcm", "sampleRate": 16_000})
        await cutting
    assert (answer["ok"], answer["error"]) == (False, BUSY)


async def test_a_message_of_a_polling_client(served: tuple[Server, Stuck, str]) -> None:
    server, engine, url = served
    async with httpx.AsyncClient(base_url=url, timeout=WAIT_S) as client:
        path = "/socket.io/?EIO=4&transport=polling"
        opened = await client.get(path)
        mine = f"{path}&sid={json.loads(opened.text[1:])['sid']}"
        await client.post(mine, content="40")
        cutting = asyncio.create_task(_cut_off(server, engine, 1))
        answer = await client.post(mine, content='420["start_audio",{"ext":"webm"}]')
        await cutting
    assert answer.status_code in (200, 503)  # 200, if the event was acknowledged in this moment


async def test_a_realtime_session(served: tuple[Server, Stuck, str]) -> None:
    server, engine, url = served
    cutting = asyncio.create_task(_cut_off(server, engine, 1))
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?intent=transcription"
    with pytest.raises(InvalidStatus) as refused:
        await connect(address, open_timeout=WAIT_S)
    await cutting
    response = refused.value.response
    assert response.status_code == 503
    assert response.headers["retry-after"] == "10"
    assert json.loads(response.body)["error"]["code"] == BUSY


async def test_a_handshake_that_waits_is_no_fault_of_the_server(
    served: tuple[Server, Stuck, str],
) -> None:
    """uvicorn would answer 500 to a client whose handshake is not complete when it stops."""
    server, engine, url = served
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?intent=transcription"
    waiting = asyncio.create_task(connect(address, open_timeout=WAIT_S).__aenter__())
    async with asyncio.timeout(WAIT_S):
        await engine.asked.acquire()
    server.should_exit = True
    while server.servers[0].is_serving():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    services_of(server._app).abort.set()
    with pytest.raises(InvalidStatus) as refused:
        await waiting
    assert refused.value.response.status_code == 503
