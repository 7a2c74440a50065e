"""What the tests of jobs as clients see them share: an API, workers, and a receiver of webhooks."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2 as httpx

import forks
from conftest import MakePipeline
from echostream.cache import load_cache
from echostream.domain import AS_USUAL, Insights, InsightsOptions, Transcript
from echostream.engine import LocalEngine, Registry
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.worker.main import run_worker
from fakes import FakeDiarizer, FakeInsights, FakeTranscriber
from redis_server import RedisServer
from web.support import WAIT_S, serving, settings_of

QUEUED = "Job queued for processing"
TIMED_WORKER = Path(__file__).with_name("timed_worker.py")


@dataclass
class CountingInsights(FakeInsights):
    """Keeps what it was asked about."""

    asked: list[str] = field(default_factory=list)

    async def analyse(
        self, transcript: Transcript, options: InsightsOptions = AS_USUAL
    ) -> Insights:
        self.asked.append(transcript.text)
        return await super().analyse(transcript, options)


def caching(
    transcriber: FakeTranscriber | None = None,
    insights: FakeInsights | None = None,
    diarizer: FakeDiarizer | None = None,
) -> MakePipeline:
    """A `make_pipeline` around fakes, with the cache that the settings ask for."""
    transcriber = transcriber or FakeTranscriber()
    voices = diarizer or FakeDiarizer()
    models = Registry.only(lambda: transcriber, transcriber.model)
    return lambda settings: Pipeline(
        settings,
        LocalEngine(settings, models, lambda _settings: voices),
        insights or FakeInsights(),
        load_cache(settings),
    )


@dataclass
class Service:
    """The settings that an API and its workers share, and where they keep their files."""

    redis: RedisServer
    folder: Path
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return settings_of(**self._values({}))

    @contextmanager
    def api(
        self, make_pipeline: MakePipeline | None = None, **values: Any
    ) -> Iterator[httpx.Client]:
        """A client of a real server."""
        with serving(make_pipeline=make_pipeline or caching(), **self._values(values)) as client:
            yield client

    @contextmanager
    def worker(self, make_pipeline: MakePipeline | None = None, **values: Any) -> Iterator[None]:
        """A real worker in the event loop of a thread, stopped on leaving."""
        settings = settings_of(**self._values(values))
        loop = asyncio.new_event_loop()
        until = asyncio.Event()
        failures: list[BaseException] = []

        def work() -> None:
            try:
                with asyncio.Runner(loop_factory=lambda: loop) as runner:
                    runner.run(
                        run_worker(settings, until=until, make_pipeline=make_pipeline or caching())
                    )
            except BaseException as error:  # it is raised again where the worker is left
                failures.append(error)

        thread = threading.Thread(target=work, name="worker")
        thread.start()
        try:
            yield
        finally:
            with suppress(RuntimeError):  # the loop is closed: the worker has ended by itself
                loop.call_soon_threadsafe(until.set)
            thread.join(WAIT_S)
            assert not thread.is_alive()
        if failures:
            raise failures[0]

    @contextmanager
    def worker_process(self, cwd: Path | None = None, **values: Any) -> Iterator[forks.Forked]:
        """A worker around the timed engine as a process of its own; killed on leaving."""
        given = {"insights_provider": "extractive", **self._values(values)}
        environment = {name.upper(): str(value) for name, value in given.items()}
        process = forks.start([str(TIMED_WORKER)], {**os.environ, **environment}, cwd=cwd, stderr=2)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def files(self) -> list[str]:
        """Everything in the storage, broken writes included."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.folder)) for path in found)

    def _values(self, values: dict[str, Any]) -> dict[str, Any]:
        return {
            "use_queue": True,
            "redis_url": self.redis.url,
            "storage_url": f"file://{self.folder}",
            "allow_private_urls": True,  # loopback is all there is
            "shutdown_grace_s": 1,
            **self.values,
            **values,
        }


def queued(response: httpx.Response) -> str:
    """The id in the answer to a request that was queued, having checked its shape."""
    assert response.status_code == 200, response.text
    body = response.json()
    assert body == {"success": True, "jobId": body["jobId"], "message": QUEUED}
    return str(body["jobId"])


def job_of(client: httpx.Client, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/job/{job_id}").raise_for_status().json()
    assert found["jobId"] == job_id
    return found


def until(
    client: httpx.Client, job_id: str, holds: Callable[[dict[str, Any]], bool], wait_s: float = 30
) -> dict[str, Any]:
    """The job once it is so."""
    give_up = time.monotonic() + wait_s
    while not holds(job := job_of(client, job_id)):
        assert time.monotonic() < give_up, f"waited in vain; the job is {job}"
        time.sleep(0.02)
    return job


def in_state(client: httpx.Client, job_id: str, *states: str) -> dict[str, Any]:
    """The job once it is in one of the states."""
    return until(client, job_id, lambda job: job["state"] in states)


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job once it has completed or failed."""
    return in_state(client, job_id, "completed", "failed")


@dataclass(frozen=True)
class Message:
    """What a receiver was sent."""

    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver(ThreadingHTTPServer):
    """A receiver of webhooks on loopback, which also serves `files` by path.

    It gives `answers` in turn, each a status and its headers, and 204 after that.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.files: dict[str, bytes] = {}
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.messages: list[Message] = []
        self._came = threading.Condition()
        self._may_answer = threading.Event()
        self._may_answer.set()

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def take(self, message: Message) -> tuple[int, dict[str, str]]:
        with self._came:
            self.messages.append(message)
            self._came.notify_all()
            answer = self.answers.pop(0) if self.answers else (204, {})
        self._may_answer.wait(WAIT_S)
        return answer

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Messages are taken, but not answered."""
        self._may_answer.clear()
        try:
            yield
        finally:
            self._may_answer.set()

    def wait_for(self, count: int) -> list[Message]:
        """All messages, once there are so many of them."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.messages) >= count, WAIT_S), (
                f"{len(self.messages)} messages came, not {count}"
            )
            return list(self.messages)


class _Exchange(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._answer(*self.server.take(Message(headers, body)))

    def do_GET(self) -> None:
        file = self.server.files.get(self.path)
        self._answer(404 if file is None else 200, {}, file or b"")

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        with suppress(ConnectionError):  # who asked may be gone
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="receiver")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
