"""Which hosts and pages are served, and which headers answers have."""

import httpx2 as httpx
import pytest

from echostream.hosts import Message, OnlyOurHosts, Receive, Scope, Send, is_loopback, network_of
from echostream.safe_headers import SafeHeaders
from web.support import error_of, serving

OURS = [
    "localhost",
    "localhost:3000",
    "LOCALHOST",
    "api:3000",
    "echo.localhost",
    "127.0.0.1:3000",
    "127.8.8.8",
    "192.168.1.7",
    "[::1]:3000",
    "[::1]",
    "api.example.com",
    "API.example.com.",
    "a.wide.example:8080",
]
OTHERS = [
    "evil.example",
    "evil.example:3000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "api.example.com.evil.example",
    "wide.example",
    "a.b.wide.example",
    "evil.example:localhost",
    "127.0.0.1@evil.example",
    "0x7f.1",
    "127.1",
    "[::1].evil.example:80",
    "[evil.example]",
    "[dead:beef]",
]


async def status_for(
    host: str | None,
    kind: str = "http",
    origin: str | None = None,
    origins: tuple[str, ...] | None = None,
    allowed: tuple[str, ...] = ("api.example.com", "*.wide.example"),
    **scope: str,
) -> int:
    """The status, or the code a WebSocket is closed with; 0 if the request was let through."""
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        sent.append({"status": 0})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {}

    guarded = OnlyOurHosts(app, allowed, origins)
    given = {b"host": host, b"origin": origin}
    headers = [(name, value.encode()) for name, value in given.items() if value is not None]
    await guarded({"type": kind, "headers": headers, **scope}, receive, send)
    if kind == "websocket" and "code" in sent[0]:
        assert sent[0]["type"] == "websocket.close"
    return int(sent[0].get("status", sent[0].get("code")))


@pytest.mark.parametrize("host", OURS)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_ours_are_served(host: str, kind: str) -> None:
    assert await status_for(host, kind) == 0


@pytest.mark.parametrize("host", OTHERS)
async def test_others_are_refused(host: str) -> None:
    assert await status_for(host) == 403
    assert await status_for(host, "websocket") == 1008


async def test_a_request_that_names_no_host_is_no_browser_s() -> None:
    assert await status_for(None) == 0


@pytest.mark.parametrize("host", OTHERS)
async def test_any_host_may_be_allowed(host: str) -> None:
    assert await status_for(host, allowed=("*",)) == 0


@pytest.mark.parametrize(
    ("method", "origins", "status"),
    [
        ("POST", (), 403),
        ("DELETE", ("https://app.example",), 403),
        ("POST", None, 0),
        ("POST", ("https://evil.example",), 0),
        ("POST", ("*",), 0),
        ("GET", (), 0),
        ("HEAD", (), 0),
        ("OPTIONS", (), 0),
        ("", (), 403),
    ],
)
async def test_which_pages_may_do_what(
    method: str, origins: tuple[str, ...] | None, status: int
) -> None:
    evil = "https://evil.example"
    assert await status_for("localhost", origin=evil, origins=origins, method=method) == status
    # That of a WebSocket is looked at where it is opened, since it has no method.
    assert await status_for("localhost", "websocket", origin=evil, origins=origins) == 0


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *((each, True) for each in ("localhost", "127.0.0.1", "127.9.9.9", "::1")),
        *((each, False) for each in (None, "", "0.0.0.0", "::", "192.168.1.7", "api", "10.0.0.1")),
    ],
)
def test_who_reaches_a_server_that_listens_there(address: str | None, expected: bool) -> None:
    assert is_loopback(address) is expected


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_whose_address_it_is(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize("path", ["/health", "/socket.io/?EIO=4&transport=polling", "/jobs"])
def test_a_page_that_rebinds_its_name_reads_nothing(path: str) -> None:
    with serving() as client:
        answer = client.get(path, headers={"host": "evil.example"})
        assert (answer.status_code, answer.json()["error"]) == (403, "host_not_allowed")
        assert "ALLOWED_HOSTS" in answer.json()["message"]
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["connection"] == "close"
        assert client.get(path).status_code != 403


def test_with_a_token_any_name_is_served_unless_some_are_set() -> None:
    rebound = {"host": "evil.example"}
    with serving(api_bearer_token="a token of our own") as client:
        assert client.get("/health", headers=rebound).status_code == 200
    with serving(api_bearer_token="a token of our own", allowed_hosts="api.example.com") as client:
        assert client.get("/health", headers=rebound).status_code == 403
        assert client.get("/health", headers={"host": "api.example.com"}).status_code == 200


@pytest.fixture(scope="module")
def client():
    with serving(cors_origins="https://app.example") as found:
        yield found


@pytest.mark.parametrize("path", ["/insights", "/upload-audio", "/api/finalize"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_page_of_another_site_changes_nothing(
    client: httpx.Client, path: str, origin: str
) -> None:
    form = {"transcript": (None, "We agreed to ship.")}
    answer = client.post(path, files=form, headers={"origin": origin})
    assert (answer.status_code, answer.json()["error"]) == (403, "origin_not_allowed")


@pytest.mark.parametrize("origin", ["https://app.example", "ours", None])
def test_pages_of_ours_may(client: httpx.Client, origin: str | None) -> None:
    ours = str(client.base_url).rstrip("/")
    headers = {"origin": ours if origin == "ours" else origin} if origin else {}
    form = {"transcript": (None, "We agreed to ship.")}
    assert client.post("/api/finalize", files=form, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/insights", "/upload-audio", "/api/finalize", "/ask"])
def test_json_is_not_taken_from_plain_text(client: httpx.Client, path: str) -> None:
    body = '{"transcript": "We agreed to ship."}'
    answer = client.post(path, content=body, headers={"content-type": "text/plain;charset=utf-8"})
    assert answer.status_code in (422, 503)
    if answer.status_code == 422:
        assert error_of(answer) == (422, "invalid_request")


@pytest.mark.parametrize("path", ["/health", "/docs", "/nowhere", "/jobs"])
def test_browsers_do_less(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"


async def test_headers_of_their_own_are_left_alone() -> None:
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"X-Frame-Options", b"DENY"), (b"a", b"b")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {}

    await SafeHeaders(app)({"type": "http"}, receive, send)
    start, body = sent
    found = dict(start["headers"])
    assert found[b"X-Frame-Options"] == b"DENY"
    assert b"x-frame-options" not in found
    assert found[b"content-security-policy"].endswith(b"; object-src 'none'")
    assert len(found) == len(start["headers"]) == 5
    assert body == {"type": "http.response.body", "body": b""}
