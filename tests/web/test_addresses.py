"""How much one address may have open: connections, requests behind a proxy, Socket.IO sessions."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2 as httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from conftest import running
from echostream.web.addresses import address_of
from fakes import fake_pipeline
from web.support import connection, metric, read_answer, settings_of, wait_until

MOST = 3
POLL = "/socket.io/?EIO=4&transport=polling"
TOKEN = "a token of our own"
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def url_with(**settings: Any) -> Any:
    values = {"max_connections_per_address": MOST, "web_concurrency": 1, **settings}
    return running(settings_of(**values), fake_pipeline())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with url_with() as found:
        yield found


def from_(address: str) -> dict[str, str]:
    """What a proxy of this host says of its client."""
    return {"X-Forwarded-For": address}


def status_of(url: str, path: str = "/health", **headers: str) -> int:
    return httpx.get(url + path, headers=headers).status_code


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (["192.0.2.7", 2], "192.0.2.7"),
        (("::ffff:192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2::1", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::", 1), "2001:db8:1:2::/64"),
        (("unknown", 0), "unknown"),
        (None, ""),
    ],
)
def test_whose_connection_it_is(client: Any, address: str) -> None:
    assert address_of({"client": client}) == address


def test_an_address_may_have_so_many_connections(url: str) -> None:
    wait_until(lambda: status_of(url) == 200, "the connections of earlier tests are closed")
    with ExitStack() as stack:
        kept = [stack.enter_context(connection(url)) for _ in range(MOST)]
        with connection(url) as one_more:
            assert read_answer(one_more).status == 429
        kept[0].sendall(HEALTH)  # those that were first are served as before
        assert kept[0].recv(100).startswith(b"HTTP/1.1 200")
        kept[0].close()
        wait_until(lambda: status_of(url) == 200, "there is room for another one")


def test_websockets_are_connections_too() -> None:
    with url_with() as url, ExitStack() as stack:
        address = url.replace("http", "ws", 1) + "/v1/realtime?intent=transcription"
        wait_until(lambda: status_of(url) == 200, "the first connection is closed")
        for _ in range(MOST):
            stack.enter_context(connect(address))
        with connection(url) as one_more:
            assert read_answer(one_more).status == 429


def test_connections_of_a_proxy_are_those_of_its_clients(url: str) -> None:
    wait_until(lambda: status_of(url) == 200, "the connections of earlier tests are closed")
    with ExitStack() as stack:
        for number in range(2 * MOST):
            client = stack.enter_context(httpx.Client(base_url=url))
            assert client.get("/health", headers=from_(f"192.0.2.{number}")).status_code == 200


def test_a_client_behind_a_proxy_may_have_so_many_requests_at_a_time() -> None:
    with url_with() as url, ExitStack() as stack:
        for _ in range(MOST):
            session_id = json.loads(httpx.get(url + POLL, headers=from_("192.0.2.7")).text[1:])
            stream = stack.enter_context(connection(url))
            stream.sendall(
                f"GET {POLL}&sid={session_id['sid']} HTTP/1.1\r\nHost: localhost\r\n"
                "X-Forwarded-For: 192.0.2.7\r\n\r\n".encode()
            )
        wait_until(lambda: status_of(url, **from_("192.0.2.7")) == 429, "all polls have arrived")
        refused = httpx.get(f"{url}/jobs", headers=from_("192.0.2.7"))
        assert (refused.json()["error"], refused.headers["retry-after"]) == ("rate_limited", "5")
        refused = httpx.get(f"{url}/v1/models", headers=from_("192.0.2.7"))
        assert refused.json()["error"]["code"] == "rate_limited"
        with pytest.raises(InvalidStatus) as denied:
            connect(
                url.replace("http", "ws", 1) + "/v1/realtime?intent=transcription",
                additional_headers=from_("192.0.2.7"),
            )
        assert denied.value.response.status_code == 429
        assert status_of(url, **from_("192.0.2.8")) == 200
        with httpx.Client(base_url=url) as client:
            assert metric(client, "echostream_errors_total", code="rate_limited") >= 3


def opened(client: httpx.Client, address: str) -> str | None:
    """The path of a new session; None if there is no place for it."""
    answer = client.get(POLL, headers=from_(address))
    if answer.status_code == 400:
        assert "Too many connections" in answer.text
        return None
    return f"{POLL}&sid={json.loads(answer.text[1:])['sid']}"


def test_an_address_may_have_so_many_sessions() -> None:
    """They live on between polls, so connections are no bound for them."""
    with url_with() as url, httpx.Client(base_url=url) as client:
        for _ in range(MOST):
            path = opened(client, "192.0.2.7")
            assert path is not None
            assert client.post(path, content="40").is_success
        assert opened(client, "192.0.2.7") is None
        assert opened(client, "192.0.2.8") is not None
        client.post(path, content="1")  # one says goodbye
        wait_until(lambda: opened(client, "192.0.2.7") is not None, "there is room")


def test_an_address_cannot_take_the_places_of_all_strangers() -> None:
    settings = {"api_bearer_token": TOKEN, "max_connections_per_address": 500}
    with url_with(**settings) as url, httpx.Client(base_url=url) as client:
        paths = [opened(client, "192.0.2.7") for _ in range(100)]
        assert None not in paths
        assert opened(client, "192.0.2.7") is None
        assert opened(client, "192.0.2.8") is not None
        answer = client.post(str(paths[0]), content="40" + json.dumps({"token": TOKEN}))
        assert answer.is_success
        assert opened(client, "192.0.2.7") is not None  # who has shown the token is no stranger
