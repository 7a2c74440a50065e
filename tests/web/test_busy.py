"""One transcription at a time and one that waits: the third client is told so at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import pytest

from echostream.engine import LocalEngine, Registry
from echostream.errors import EngineError
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from fakes import FakeInsights, FakeTranscriber
from web.support import (
    WAIT_S,
    BrokenTranscriber,
    EndlessTranscriber,
    around,
    audio,
    connection,
    error_of,
    head,
    metric,
    serving,
    wait_until,
)

AUDIO_PATHS = [
    "/upload-audio",
    "/api/finalize",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
]


@dataclass
class Busy:
    """A server with one place to work and one to wait; its engine goes on when `hold` is set."""

    client: httpx.Client
    pool: ThreadPoolExecutor
    hold: threading.Event = field(default_factory=threading.Event)
    transcriber: FakeTranscriber = field(init=False)

    def post(self, path: str = "/upload-audio", **data: str) -> httpx.Response:
        files = {name: ("talk.wav", audio()["audio"][1]) for name in ("audio", "file")}
        return self.client.post(path, files=files, data=data)

    def post_and_wait_for(self, waiting: int) -> "Future[httpx.Response]":
        """Post in the background; return when as many wait as that."""
        answer = self.pool.submit(self.post)
        self.wait_for(waiting)
        return answer

    def wait_for(self, waiting: int) -> None:
        assert self.transcriber.started.wait(WAIT_S)
        queue = "echostream_inference_queue"
        wait_until(lambda: metric(self.client, queue) == waiting, f"{waiting} wait")


@contextmanager
def busy_server(max_waiting: int = 1, **settings: Any) -> Iterator[Busy]:
    hold = threading.Event()
    transcriber = FakeTranscriber(hold=hold)
    limits = {"worker_concurrency": 1, "max_waiting": max_waiting}
    with (
        serving(transcriber, **limits, **settings) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        busy = Busy(client, pool, hold)
        busy.transcriber = transcriber
        try:
            yield busy
        finally:
            hold.set()


@contextmanager
def upload_under_way(client: httpx.Client) -> Iterator[None]:
    """A request whose client goes away on leaving."""
    request = httpx.Request("POST", "http://x", files=audio())
    body = b"".join(request.stream)  # type: ignore[arg-type]
    about = (f"Content-Type: {request.headers['content-type']}", f"Content-Length: {len(body)}")
    with connection(str(client.base_url)) as stream:
        stream.sendall(head("POST /upload-audio HTTP/1.1", *about) + body)
        yield


def left_early(client: httpx.Client) -> float:
    """How many uploads ended because their client had gone."""
    return metric(client, "echostream_requests_total", route="/upload-audio", status="499")


def test_the_third_is_refused_at_once_and_the_others_end_well() -> None:
    with busy_server() as busy:
        first = busy.post_and_wait_for(0)
        second = busy.post_and_wait_for(1)
        for path in AUDIO_PATHS:
            refused = busy.post(path)
            assert error_of(refused) == (503, "server_busy")
            assert int(refused.headers["retry-after"]) >= 1
        assert not first.done()
        assert not second.done()
        busy.hold.set()
        assert first.result(WAIT_S).json()["success"] is True
        assert second.result(WAIT_S).json()["success"] is True
        assert busy.post().status_code == 200


def test_a_busy_server_refuses_before_it_has_read_the_upload() -> None:
    with busy_server(max_waiting=0) as busy:
        busy.post_and_wait_for(0)
        with connection(str(busy.client.base_url)) as stream:
            about = ("Content-Type: multipart/form-data; boundary=XX", "Content-Length: 100000000")
            stream.sendall(head("POST /upload-audio HTTP/1.1", *about))
            assert stream.recv(12) == b"HTTP/1.1 503"


def test_state_and_transcripts_are_served_while_busy() -> None:
    with busy_server(max_waiting=0) as busy:
        busy.post_and_wait_for(0)
        assert busy.client.get("/health").status_code == 200
        assert busy.client.get("/ready").status_code == 200
        said = busy.client.post("/api/finalize", json={"transcript": "Hello."})
        assert said.status_code == 200


def test_a_stream_is_refused_like_the_rest() -> None:
    with busy_server(max_waiting=0) as busy:
        busy.post_and_wait_for(0)
        refused = busy.post("/v1/audio/transcriptions", stream="true")
        assert error_of(refused) == (503, "server_busy")


def test_one_that_waits_and_leaves_frees_its_place() -> None:
    with busy_server() as busy:
        first = busy.post_and_wait_for(0)
        with upload_under_way(busy.client):
            busy.wait_for(1)
        busy.wait_for(0)
        second = busy.post_and_wait_for(1)
        busy.hold.set()
        assert first.result(WAIT_S).status_code == 200
        assert second.result(WAIT_S).status_code == 200
        assert len(busy.transcriber.calls) == 2


def test_one_that_works_and_leaves_keeps_its_place_until_the_engine_stops() -> None:
    with busy_server() as busy:
        with upload_under_way(busy.client):
            assert busy.transcriber.holding.wait(WAIT_S)  # before that it would stop at once
        wait_until(lambda: left_early(busy.client) == 1, "it is noticed")
        next_one = busy.post_and_wait_for(1)
        assert not busy.transcriber.stopped.is_set()
        busy.hold.set()
        assert next_one.result(WAIT_S).json()["success"] is True
        assert len(busy.transcriber.calls) == 2


def test_a_client_that_leaves_stops_the_engine_between_segments() -> None:
    engine = EndlessTranscriber()
    with serving(make_pipeline=around(engine), worker_concurrency=1, max_waiting=0) as client:
        with upload_under_way(client):
            assert engine.started.wait(WAIT_S)
            assert not engine.stopped.is_set()
        assert engine.stopped.wait(WAIT_S)
        wait_until(lambda: left_early(client) == 1, "it is noticed")
        assert metric(client, "echostream_audio_seconds_total") == 0


@pytest.mark.parametrize("error", [EngineError("broke"), RuntimeError("unforeseen")])
def test_an_error_frees_the_place(error: Exception) -> None:
    def fragile(settings: Settings) -> Pipeline:
        return Pipeline(
            settings,
            LocalEngine(settings, Registry.only(lambda: BrokenTranscriber(error))),
            FakeInsights(),
        )

    with serving(make_pipeline=fragile, worker_concurrency=1, max_waiting=0) as client:
        for _ in range(3):
            refused = client.post("/upload-audio", files=audio())
            assert error_of(refused) == (500, "process_failed")


@pytest.mark.parametrize(
    "arguments",
    [
        {"files": audio(b"not audio")},
        {"json": {"audioUrl": "ftp://example.com/"}},
        {"files": audio(), "data": {"task": "sing"}},
        {"files": audio(), "data": {"useQueue": "true"}},
    ],
)
def test_bad_input_frees_the_place(arguments: dict[str, Any]) -> None:
    with serving(worker_concurrency=1, max_waiting=0) as client:
        for _ in range(3):
            assert 400 <= client.post("/upload-audio", **arguments).status_code <= 503
        assert client.post("/upload-audio", files=audio()).status_code == 200


def test_many_at_once_are_all_answered() -> None:
    with serving(worker_concurrency=2, max_waiting=30) as client, ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda _: client.post("/upload-audio", files=audio()), range(24))
        assert [answer.status_code for answer in answers] == [200] * 24
        assert metric(client, "echostream_inference_queue") == 0
        assert metric(client, "echostream_audio_seconds_total", engine="fake") == 24
