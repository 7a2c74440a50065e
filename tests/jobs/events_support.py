"""What the tests of job events share: servers, stock clients, and both ends of the messages."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import socketio
from fastapi import FastAPI

from conftest import running
from echostream.job_events import JobAnnouncer, JobListener, JobNews
from echostream.results import StoredResult
from echostream.settings import Settings
from echostream.web.app import create_app
from echostream.web.server import Server
from fakes import fake_pipeline
from jobs.place import Jobs, Place
from web.support import settings_of

WAIT_S = 20.0
ENDS = ("job_completed", "job_failed")


@contextmanager
def serving(place: Place, **more: Any) -> Iterator[str]:
    """A real server of the place's jobs; gives its URL."""
    with running(settings_at(place, **more), fake_pipeline()) as url:
        yield url


def settings_at(place: Place, **more: Any) -> Settings:
    values = {
        "use_queue": True,
        "redis_url": place.redis_url,
        "queue_name": place.queue_name,
        "storage_url": place.storage_url,
        "shutdown_grace_s": 1,
    }
    return settings_of(**{**values, **more})


class Client:
    """A stock client that keeps the events of jobs it gets."""

    def __init__(self) -> None:
        self.socket = socketio.AsyncClient(reconnection=False)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self._more = asyncio.Event()
        for event in ("job_progress", *ENDS):
            self.socket.on(event, self._handler(event))

    def _handler(self, event: str) -> Callable[[dict[str, Any]], None]:
        def handle(data: dict[str, Any]) -> None:
            self.heard.append((event, data))
            self._more.set()

        return handle

    async def join(self, job_id: object) -> dict[str, Any]:
        return await self.send({"jobId": job_id})

    async def send(self, payload: object) -> dict[str, Any]:
        """Send `join_job`; gives the acknowledgement."""
        answer: dict[str, Any] = await self.socket.call("join_job", payload, timeout=WAIT_S)
        return answer

    def of(self, event: str, job_id: str | None = None) -> list[dict[str, Any]]:
        return [
            data
            for kind, data in self.heard
            if kind == event and job_id in (None, data.get("jobId"))
        ]

    def texts(self) -> list[str]:
        """The texts so far, in the order they were sent."""
        return [data["text"] for data in self.of("job_progress") if "text" in data]

    def ends(self) -> list[tuple[str, dict[str, Any]]]:
        return [each for each in self.heard if each[0] in ENDS]

    async def until(self, holds: Callable[["Client"], Any], timeout_s: float = WAIT_S) -> None:
        """Until that is true of what was heard."""
        async with asyncio.timeout(timeout_s):
            while not holds(self):
                self._more.clear()
                await self._more.wait()

    async def ended(self, timeout_s: float = WAIT_S) -> tuple[str, dict[str, Any]]:
        """The end of the job, which must be sent once."""
        await self.until(Client.ends, timeout_s)
        (end,) = self.ends()
        return end

    async def is_quiet(self) -> None:
        """Fails where anything comes within the time in which it is looked at a job again."""
        before = list(self.heard)
        await asyncio.sleep(2.5)  # for something that does not come there is nothing to await
        assert self.heard == before


@asynccontextmanager
async def client_of(url: str, *transports: str) -> AsyncIterator[Client]:
    client = Client()
    await client.socket.connect(url, transports=list(transports or ["websocket"]))
    try:
        yield client
    finally:
        await client.socket.disconnect()


@asynccontextmanager
async def app_of(place: Place) -> AsyncIterator[tuple[str, FastAPI]]:
    """A server in this event loop, so that the test can look into it."""
    settings = settings_at(place)
    app = create_app(settings, fake_pipeline())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(app, settings)
        serving = asyncio.create_task(server.serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", app
        server.should_exit = True
        await serving


@asynccontextmanager
async def announcing(url: str, queue: str) -> AsyncIterator[JobAnnouncer]:
    announcer = JobAnnouncer(url, queue)
    yield announcer
    await announcer.aclose()


@asynccontextmanager
async def listening(url: str, queue: str) -> AsyncIterator[tuple[JobListener, list[JobNews]]]:
    """A listener, once it listens, and what it has heard."""
    heard: list[JobNews] = []

    async def hear(news: JobNews) -> None:
        heard.append(news)

    listener = JobListener(url, queue, hear)
    listener.start()
    await asyncio.wait_for(listener.is_listening.wait(), WAIT_S)
    yield listener, heard
    await listener.aclose()


async def result_of(jobs: Jobs, job_id: str) -> dict[str, Any]:
    """What `GET /job/{id}` gives as the result."""
    stored = StoredResult.load(await jobs.storage.read_result(job_id) or b"")
    assert stored is not None
    return stored.shape()


def assert_in_order(client: Client, job_id: str) -> None:
    """Progress and text that never go back, nothing twice, and then the end."""
    assert [event for event, _ in client.heard if event in ENDS] == [client.heard[-1][0]]
    told = client.of("job_progress")
    assert all(set(each) - {"text"} == fields_of(each["state"]) for each in told)
    assert {each["jobId"] for each in told} == {job_id}
    shown = [each["progress"] for each in told]
    assert shown == sorted(shown)
    assert all(told[n] != told[n + 1] for n in range(len(told) - 1))
    texts = client.texts()
    assert all(texts[n + 1].startswith(texts[n]) for n in range(len(texts) - 1))


def fields_of(state: str) -> set[str]:
    """What `job_progress` has beside the text, which comes only where it has changed."""
    always = {"jobId", "state", "progress"}
    return always | {"stage", "secondsLeft"} if state == "active" else always
