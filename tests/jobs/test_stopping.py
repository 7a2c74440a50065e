"""A server that is told to stop while its storage does not answer: clients get an answer, every
process has gone within the grace, and no job is lost."""

import asyncio
import io
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest

from conftest import sample_pcm, write_wav
from echostream.jobs import new_job_id
from jobs.place import Jobs, Place, until, wav
from moto_server import point_aws_at
from processes import cpu_s
from redis_server import RedisServer
from web.process import ServerProcess, command_of, descendants_of, server_process
from web.support import WAIT_S, audio, error_of

GRACE_S = 4.0
LATE_S = 2.0
"""How much longer a busy machine may need to notice that the time is over."""
STOPPING = (503, "server_busy")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as found:
        yield found


class _Bucket(ThreadingHTTPServer):
    """An S3 to which one can write until it is `stuck`. `asked` counts what it has got since."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Objects)
        self.stuck = threading.Event()
        self.asked = threading.Semaphore(0)
        self.over = threading.Event()


class _Objects(BaseHTTPRequestHandler):
    server: _Bucket
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.stuck.is_set():
            self.server.asked.release()
            self.server.over.wait()
        self.send_response(200)
        self.send_header("ETag", '"whatever"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_DELETE(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Bucket]:
    with _Bucket() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.05,), name="bucket")
        thread.start()
        point_aws_at(monkeypatch, f"http://127.0.0.1:{found.server_port}")
        yield found
        found.over.set()
        found.shutdown()
        thread.join()


@contextmanager
def stopped_in_time(server: ServerProcess) -> Iterator[None]:
    """Sends SIGTERM. Once the block is left, all processes must go within the grace."""
    everyone = [server.popen.pid, *descendants_of(server.popen.pid)]
    commands = {pid: command_of(pid) for pid in everyone}
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    yield
    assert server.exit_status() == 0
    gone_after_s = {pid: 0.0 for pid in everyone}
    while left := [pid for pid in everyone if command_of(pid) == commands[pid]]:
        gone_after_s |= dict.fromkeys(left, time.monotonic() - began)
        assert time.monotonic() - began < WAIT_S, f"these still run: {[commands[p] for p in left]}"
        time.sleep(0.02)
    late = {commands[pid]: after for pid, after in gone_after_s.items() if after > GRACE_S + LATE_S}
    assert not late
    assert time.monotonic() - began < GRACE_S + LATE_S


def test_requests_that_wait_for_the_storage_are_told_to_come_again(
    redis: RedisServer, bucket: _Bucket, pool: ThreadPoolExecutor
) -> None:
    redis.flush()
    environment = {
        "USE_QUEUE": "true",
        "REDIS_URL": redis.url,
        "STORAGE_URL": "s3://recordings",
        "SHUTDOWN_GRACE_S": f"{GRACE_S:g}",
    }
    with server_process(**environment) as server:
        bucket.stuck.set()
        answers: list[Future[httpx.Response]] = [
            pool.submit(
                httpx.post,
                f"{server.url}{path}",
                files=audio(),
                data={"useQueue": "true"},
                timeout=WAIT_S,
            )
            for path in ("/upload-audio", "/api/finalize")
        ]
        for _ in answers:
            assert bucket.asked.acquire(timeout=WAIT_S)
        with stopped_in_time(server):
            for answer in answers:
                refused = answer.result(WAIT_S)
                assert error_of(refused) == STOPPING
                assert refused.headers["retry-after"] == "10"
                assert refused.headers["x-request-id"]
    told = [json.loads(line) for line in server.log]
    assert [one["status"] for one in told if one["event"] == "request"] == [503, 503]


def _held_by_a_reader(pipe: Path) -> int:
    """The writing end, once somebody waits for it; 0 before."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return 0


async def test_jobs_that_wait_for_the_storage_are_kept(
    jobs: Jobs, place: Place, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """Two files of the storage are pipes here: to open one waits for ever."""
    long_talk = write_wav(tmp_path / "long.wav", np.tile(sample_pcm(), 10))
    environment = {
        **place.settings(),
        "USE_QUEUE": "true",
        "RUN_WORKER": "true",
        "WEB_CONCURRENCY": "2",
        "SHUTDOWN_GRACE_S": f"{GRACE_S:g}",
    }
    with server_process(**environment) as server:
        done = await jobs.add()
        assert (await jobs.ended(done)).state == "completed"
        result = place.folder / "data" / "results" / f"{done}.json"
        result.unlink()
        os.mkfifo(result)
        stuck = new_job_id()
        os.mkfifo(place.folder / "data" / "staged" / stuck)
        await jobs.add_data(stuck, {"audio": stuck, "insights": False})
        await jobs.reached(stuck, "active")
        with long_talk.open("rb") as file:
            answers = [
                pool.submit(httpx.get, f"{server.url}/job/{done}", timeout=WAIT_S),
                pool.submit(
                    httpx.post,
                    f"{server.url}/upload-audio",
                    files={"audio": file},
                    timeout=WAIT_S,
                ),
            ]
            [engine] = server.engines()
            used_s = cpu_s(engine)
            await until(lambda: cpu_s(engine) > used_s, what="the upload at work")
            held = await until(lambda: _held_by_a_reader(result), what="the wait for the result")
            with os.fdopen(held, "wb"), stopped_in_time(server):
                for answer in answers:
                    refused = await asyncio.to_thread(answer.result, WAIT_S)
                    assert error_of(refused) == STOPPING
    assert (await jobs.status(stuck)).state in ("waiting", "delayed")
    assert await jobs.stalls(stuck) == 0

    (place.folder / "data" / "staged" / stuck).unlink()
    await jobs.storage.stage(stuck, io.BytesIO(wav(2)))
    place.worker(segment_s=0)
    assert (await jobs.ended(stuck)).state == "completed"
