"""Slow and silent clients, and those that ask too often."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn

from echostream.errors import RateLimited, RequestTimeout
from echostream.web.patience import PatientHttp, SteadyBodies
from echostream.web.rates import Rates
from web.support import WAIT_S, error_of, serving


class HastyHttp(PatientHttp):
    headers_s = 0.3


async def answers_late(_scope: Any, receive: Any, send: Any) -> None:
    """Answers once it has the body, after longer than headers may take."""
    while (await receive()).get("more_body"):
        pass
    await asyncio.sleep(2 * HastyHttp.headers_s)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def port() -> Iterator[int]:
    """A server that waits for headers for less long than ours do."""
    config = uvicorn.Config(answers_late, http=HastyHttp, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


SLOW = {
    "silent": b"",
    "half a line": b"GET /hea",
    "half a head": b"GET /health HTTP/1.1\r\nHost: localhost\r\n",
    "a second head": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea",
}


@pytest.mark.parametrize("name", SLOW)
def test_headers_that_do_not_come(port: int, name: str) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), WAIT_S)) as stream:
        stream.sendall(SLOW[name])
        received = b""
        while block := stream.recv(65536):
            received += block
        assert received.count(b"HTTP/1.1 200") == (1 if name == "a second head" else 0)


def test_a_slow_answer_is_waited_for(port: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", port), WAIT_S)) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert stream.recv(100).startswith(b"HTTP/1.1 200")


async def read_at(rate: float, size: int) -> int:
    """How many bytes are read of a body that comes so fast, in steps of 100 bytes."""
    taken = 0

    async def app(_scope, receive, _send) -> None:
        nonlocal taken
        more = True
        while more:
            message = await receive()
            taken += len(message["body"])
            more = message["more_body"]

    sent = 0

    async def receive():
        nonlocal sent
        await asyncio.sleep(100 / rate)
        sent += 100
        return {"type": "http.request", "body": bytes(100), "more_body": sent < size}

    async def send(_message) -> None:
        pass

    await SteadyBodies(app, wait_s=0.1, bytes_per_s=10_000)({"type": "http"}, receive, send)
    return taken


async def test_a_body_that_comes_steadily_is_read() -> None:
    assert await read_at(50_000, 10_000) == 10_000


async def test_a_body_that_drips_is_not() -> None:
    with pytest.raises(RequestTimeout):
        await read_at(2_000, 10_000)


def test_a_client_that_asks_too_often() -> None:
    now = [0.0]
    rates = Rates(6, clock=lambda: now[0])
    for _ in range(6):
        rates.count("a")
    with pytest.raises(RateLimited) as refused:
        rates.count("a")
    assert refused.value.retry_after_s == pytest.approx(10)
    rates.count("b")
    now[0] += 10
    rates.count("a")
    with pytest.raises(RateLimited):
        rates.count("a")


TOKEN = "a token of our own"


@pytest.fixture(scope="module")
def limited() -> Iterator[httpx.Client]:
    with serving(api_bearer_token=TOKEN, rate_limit=20, web_concurrency=1) as client:
        yield client


def test_the_rate_of_requests_is_limited(limited: httpx.Client) -> None:
    holder = {"authorization": f"Bearer {TOKEN}"}
    for _ in range(20):
        assert limited.get("/v1/models").status_code == 401  # of a stranger at this address
    answer = limited.get("/jobs")
    assert error_of(answer) == (429, "rate_limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    body = limited.get("/v1/models").json()
    assert (body["error"]["code"], body["error"]["type"]) == ("rate_limited", "rate_limit_error")
    assert limited.get("/v1/models", headers=holder).status_code == 200  # who has the token may
    for path in ("/health", "/ready", "/metrics"):
        assert limited.get(path, headers=holder).status_code != 429
