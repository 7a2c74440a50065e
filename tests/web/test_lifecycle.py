"""The server as a process: how it starts, how it stops, and that it leaves no children."""

import asyncio
import itertools
import json
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import numpy as np
import openai
import pytest

from conftest import SAMPLE, TINY_WHISPER, sample_pcm, write_wav
from echostream.live_client import LiveClient
from echostream.settings import Settings
from echostream.web.listener import open_listener
from web.process import SERVE, assert_they_end, server_process, watched
from web.support import FORM_XX, WAIT_S, connection, error_of, head, read_answer

STOPPING = (503, "server_busy")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def short_talk(tmp_path: Path) -> Path:
    """The first seconds of the sample."""
    return write_wav(tmp_path / "short.wav", sample_pcm()[: 8 * 16_000])


def upload(url: str, path: Path) -> httpx.Response:
    with path.open("rb") as file:
        return httpx.post(f"{url}/upload-audio", files={"audio": file}, timeout=60)


@pytest.fixture
def long_talk(tmp_path: Path) -> Path:
    """The sample ten times: an engine is at work on it for as long as any of these tests."""
    return write_wav(tmp_path / "long.wav", np.tile(sample_pcm(), 10))


def test_connections_do_not_hold_small_answers_back() -> None:
    with (
        open_listener(Settings(port=0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_request_end(
    pool: ThreadPoolExecutor, short_talk: Path, stop: signal.Signals
) -> None:
    with server_process(*SERVE, SHUTDOWN_GRACE_S="60") as server:
        answer: Future[httpx.Response] = pool.submit(upload, server.url, short_talk)
        server.wait_for_engines(1)
        with watched(server.engines()) as engines:
            server.signal(stop)
            assert answer.result(WAIT_S).json()["transcript"]
            assert server.exit_status() == 0
            assert_they_end(engines)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/health")
    assert not [line for line in server.log if "Traceback" in line or '"error"' in line]


def test_requests_past_the_grace_are_told_to_come_again(
    pool: ThreadPoolExecutor, long_talk: Path
) -> None:
    with server_process(SHUTDOWN_GRACE_S="6", MAX_WAITING="4") as server:
        sdk = openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0)
        with sdk, long_talk.open("rb") as file:
            stream = sdk.audio.transcriptions.create(file=file, model="whisper-1", stream=True)
            with stream:
                assert next(iter(stream)).type == "transcript.text.delta"
                uploads = [pool.submit(upload, server.url, long_talk) for _ in range(2)]
                server.wait_for_engines(2)
                with watched(server.engines()) as engines:
                    server.signal(signal.SIGTERM)
                    for answer in uploads:
                        refused = answer.result(WAIT_S)
                        assert error_of(refused) == STOPPING
                        assert refused.headers["retry-after"] == "10"
                    with pytest.raises(openai.APIError, match="the server is stopping"):
                        list(stream)
                    assert server.exit_status() == 0
                    assert_they_end(engines)


async def test_a_client_that_still_speaks_gets_the_text_so_far() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for second in itertools.cycle(range(60)):
            yield sample_pcm()[second * 16_000 :][:16_000].tobytes()

    small = {"ASR_ENGINE": "whisper", "WHISPER_MODEL": str(TINY_WHISPER)}
    with server_process(SHUTDOWN_GRACE_S="60", **small) as server:
        client = LiveClient(
            server.url,
            None,
            {"ext": "pcm", "sampleRate": 16_000, "insights": False},
            on_partial=lambda _: server.signal(signal.SIGTERM),
            on_fault=lambda _: None,
        )
        final = await asyncio.wait_for(client.run(endless()), WAIT_S)
        assert "Thank you for joining the meeting" in final["transcript"]
        assert client.is_cut
        assert server.exit_status() == 0


def test_an_upload_that_stalls_does_not_keep_the_server() -> None:
    form = f"Content-Type: {FORM_XX['content-type']}"
    with server_process(SHUTDOWN_GRACE_S="6") as server:
        with connection(server.url) as upload, connection(server.url) as text:
            upload.sendall(head("POST /upload-audio HTTP/1.1", form, "Content-Length: 999") + b"--")
            text.sendall(head("POST /api/finalize HTTP/1.1", "Content-Length: 999") + b"{")
            httpx.get(f"{server.url}/health").raise_for_status()
            server.signal(signal.SIGTERM)
            for stalled in (upload, text):
                answer = read_answer(stalled)
                assert (answer.status, json.loads(answer.body)["error"]) == STOPPING
        assert server.exit_status() == 0


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_stops_at_once(stop: signal.Signals) -> None:
    with server_process(SHUTDOWN_GRACE_S="1000") as server:
        httpx.get(f"{server.url}/health").raise_for_status()
        server.signal(stop)
        assert server.exit_status() == 0


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_starts_is_not_lost(stop: signal.Signals) -> None:
    with server_process() as server:
        server.signal(stop)  # it listens, but has not begun to serve
        assert server.exit_status() == 0


def test_a_killed_server_leaves_no_children(pool: ThreadPoolExecutor) -> None:
    with server_process() as server:
        answer = pool.submit(upload, server.url, SAMPLE)
        server.wait_for_engines(1)
        with watched(server.engines()) as engines:
            server.signal(signal.SIGKILL)
            assert server.exit_status() == -signal.SIGKILL
            assert isinstance(answer.exception(WAIT_S), httpx.HTTPError)
            assert_they_end(engines)


@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1", "already in use"), ("203.0.113.7", "annot assign")],
)
def test_a_port_that_cannot_be_had_is_told_in_one_line(host: str, reason: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*SERVE, "--host", host, "--port", port], capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("echostream: cannot listen: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("size_kib", [128, 2048])
def test_a_full_disk(size_kib: int) -> None:
    """A limit on the size of files stands in for it; below and above what is held in memory."""
    limited = ("sh", "-c", 'ulimit -f 64; exec "$@"', "sh", *SERVE)
    content = bytes(size_kib * 1024)
    with server_process(*limited) as server:
        for path, field in (("/upload-audio", "audio"), ("/v1/audio/transcriptions", "file")):
            answer = httpx.post(f"{server.url}{path}", files={field: ("talk.wav", content)})
            assert error_of(answer) == (507, "storage_full")
        assert httpx.get(f"{server.url}/health").status_code == 200
        refused = httpx.post(f"{server.url}/upload-audio", files={"audio": ("talk.wav", b"no")})
        assert error_of(refused) == (422, "invalid_audio")
