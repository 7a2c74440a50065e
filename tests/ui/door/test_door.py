"""The door alone, around an app that answers whatever is asked of it."""

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from echostream.passwords import PasswordHash
from echostream_ui.door import COOKIE, Door
from echostream_ui.door.visitors import LASTS_S, Visitors

PASSWORD = "correct horse, grüß"
SALT = bytes(16)
# A hash that costs next to nothing.
HASH = PasswordHash(2, 1, 1, SALT, hashlib.scrypt(PASSWORD.encode(), salt=SALT, n=2, r=1, p=1))
PAGE = {"accept": "text/html"}


async def library(scope: Scope, receive: Receive, send: Send) -> None:
    """What is behind the door. A WebSocket gets it twice: at first, and after it has closed."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "the library"})
        await receive()
        await send({"type": "websocket.send", "text": "the library"})
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the library"})
    if scope["type"] == "lifespan":
        scope["begun"].set()


@pytest.fixture(params=["", "/echo"])
def base(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def door(tmp_path: Path, base: str) -> Door:
    return Door(library, HASH, Visitors(tmp_path, PASSWORD), base, f"{base}/share/")


@asynccontextmanager
async def browser(door: Door, address: str = "192.0.2.1") -> AsyncIterator[httpx.AsyncClient]:
    async def asked(scope: Any, receive: Receive, send: Send) -> None:
        await door({**scope, "client": (address, 1) if address else None}, receive, send)

    transport = httpx.ASGITransport(asked)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def sign_in(client: httpx.AsyncClient, base: str, **fields: str) -> httpx.Response:
    return await client.post(f"{base}/sign-in", data={"password": PASSWORD, **fields})


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/sign-out", "/share", "/shared/1", "/library.zip", "/media/1.wav", "/live/socket"),
        *("/_stcore/stream", "/_stcore/health/x", "/_stcore/healthy", "/x/_stcore/health"),
    ],
)
async def test_nothing_answers_without_a_cookie(door: Door, base: str, path: str) -> None:
    async with browser(door) as client:
        for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
            for headers in ({}, PAGE, {"cookie": f"{COOKIE}=made.up.one"}):
                answer = await client.request(method, f"{base}{path}", headers=headers)
                assert answer.status_code == 401
                assert "the library" not in answer.text
                is_page = headers is PAGE and method in ("GET", "HEAD")
                kind = "text/html" if is_page else "application/json"
                assert answer.headers["content-type"].startswith(kind)
        told = await client.get(f"{base}{path}")
        assert told.json() == {"error": "unauthorized", "message": "sign in first"}


@pytest.mark.parametrize("path", ["/_stcore/health", "/share/x", "/share/x/audio"])
async def test_what_has_secrets_of_its_own_is_open(door: Door, base: str, path: str) -> None:
    async with browser(door) as client:
        assert (await client.get(f"{base}{path}")).text == "the library"


async def test_the_page_leads_to_what_was_asked_for(door: Door, base: str) -> None:
    async with browser(door) as client:
        page = await client.get(f'{base}/recording?id=1&q="><b>', headers=PAGE)
        assert f'action="{base}/sign-in"' in page.text
        assert f'value="{base}/recording?id=1&amp;q=%22%3E%3Cb%3E"' in page.text
        assert 'aria-invalid="false"' in page.text
        plain = await client.get(f"{base}/about", headers=PAGE)
        assert f'value="{base}/about"' in plain.text


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("{}/recording?id=1", "{}/recording?id=1"),
        ("{}/", "{}/"),
        *((each, "{}/") for each in ("", "/\\evil.example", "//evil.example", "evil.example")),
        *((each, "{}/") for each in ("https://evil.example", "{}/a\nb", "{}/a\\b", "{}/sign-in")),
        *((each, "{}/") for each in ("{}//evil.example\\", "{}/\u2028", "{}/\x00")),
    ],
)
async def test_the_password_lets_in_to_a_page_of_ours(
    door: Door, base: str, wanted: str, leads_to: str
) -> None:
    async with browser(door) as client:
        answer = await sign_in(client, base, next=wanted.format(base))
        assert (answer.status_code, answer.headers["location"]) == (303, leads_to.format(base))
        [cookie] = answer.headers.get_list("set-cookie")
        flags = {each.strip().lower() for each in cookie.split(";")[1:]}
        assert flags == {"httponly", "samesite=strict", "max-age=1209600", f"path={base or '/'}"}
        assert (await client.get(f"{base}/")).text == "the library"


async def test_who_is_in_is_not_asked_again(door: Door, base: str) -> None:
    async with browser(door) as client:
        assert (await client.get(f"{base}/sign-in", headers=PAGE)).status_code == 401
        await sign_in(client, base)
        answer = await client.get(f"{base}/sign-in", headers=PAGE)
        assert (answer.status_code, answer.headers["location"]) == (307, f"{base}/")
        assert (await client.get(f"{base}/sign-in")).status_code == 204  # the page's script
        assert (await client.get(f"{base}/sign-out")).text == "the library"  # only by POST
        assert (await client.post(f"{base}/_stcore/upload")).text == "the library"
        assert (await client.get(f"{base}/")).text == "the library", "still in"


async def test_signing_out_voids_the_cookie(door: Door, base: str) -> None:
    async with browser(door) as client:
        await sign_in(client, base)
        headers = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        answer = await client.post(f"{base}/sign-out")
        assert answer.status_code == 204
        [cookie] = answer.headers.get_list("set-cookie")
        assert {"Max-Age=0", "HttpOnly", f"Path={base or '/'}", "SameSite=strict"} <= set(
            cookie.split("; ")
        )
        assert COOKIE not in client.cookies
        assert (await client.get(f"{base}/", headers=headers)).status_code == 401


async def test_a_wrong_password_lets_nobody_in_and_makes_them_wait(door: Door, base: str) -> None:
    async with browser(door) as client:
        for _ in range(5):
            wrong = await sign_in(client, base, password="<wrong>", next="/a")
            assert wrong.status_code == 401
            assert "This is not the password." in wrong.text
            assert 'value="/a"' in wrong.text
            assert "set-cookie" not in wrong.headers
        for fields in ({"password": "wrong"}, {}):
            refused = await sign_in(client, base, next="/a", **fields)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert "Try again in 1 s." in refused.text
            assert 'value="/a"' in refused.text
    for address in ("192.0.2.2", ""):  # without one it is a socket of this machine
        async with browser(door, address) as other:
            assert (await sign_in(other, base)).status_code == 303


async def test_right_passwords_do_not_count(door: Door, base: str) -> None:
    async with browser(door) as client:
        for _ in range(8):
            assert (await sign_in(client, base)).status_code == 303


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"password=x&next=" + bytes(16_368).replace(b"\0", b"x"), 401),
        (b"password=x&next=" + bytes(16_369).replace(b"\0", b"x"), 400),
        (b"password=\xff", 400),
        (b"&".join([b"password=x"] * 10), 401),
        (b"&".join([b"password=x"] * 11), 400),
        (b"", 401),
        (b"{}", 401),
    ],
)
async def test_forms_that_are_none_of_ours(door: Door, base: str, body: bytes, status: int) -> None:
    async with browser(door) as client:
        assert (await client.post(f"{base}/sign-in", content=body)).status_code == status


async def test_a_page_of_another_site_signs_nobody_in(door: Door, base: str) -> None:
    async with browser(door) as client:
        client.headers["sec-fetch-site"] = "cross-site"
        assert (await sign_in(client, base)).status_code == 400
        client.headers["sec-fetch-site"] = "same-origin"
        assert (await sign_in(client, base)).status_code == 303


class Slow:
    """A password that is compared until it may go on."""

    def __init__(self) -> None:
        self.at_once = 0
        self.most = 0
        self.two = threading.Event()
        self.goes_on = threading.Event()

    def matches(self, _password: str) -> bool:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        if self.at_once == 2:
            self.two.set()
        self.goes_on.wait(20)
        self.at_once -= 1
        return False


async def test_guesses_take_two_processors_at_the_most(tmp_path: Path) -> None:
    slow: Any = Slow()
    door = Door(library, slow, Visitors(tmp_path, PASSWORD), "", "/share/")
    async with browser(door) as client:
        guesses = [asyncio.create_task(sign_in(client, "")) for _ in range(5)]
        assert await asyncio.to_thread(slow.two.wait, 20)
        assert (await client.get("/_stcore/health")).status_code == 200
        slow.goes_on.set()
        # Those that are made at the same time count too.
        codes = [(await each).status_code for each in guesses]
    assert codes == [401] * 5
    assert slow.most == 2


class Socket:
    """A browser's end of a WebSocket."""

    def __init__(self, door: Door, path: str, cookie: str = "") -> None:
        headers = [(b"cookie", f"{COOKIE}={cookie}".encode())] if cookie else []
        scope = {"type": "websocket", "path": path, "headers": headers}
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._events.put_nowait({"type": "websocket.connect"})
        self.served = asyncio.ensure_future(door(scope, self._events.get, self._send))

    async def _send(self, message: Message) -> None:
        self.sent.put_nowait(message)
        if message["type"] == "websocket.close":
            self._events.put_nowait({"type": "websocket.disconnect"})


@pytest.mark.parametrize("path", ["/_stcore/stream", "/live/socket", "/share/x", "/sign-in"])
async def test_a_websocket_needs_a_cookie_and_ends_with_it(
    door: Door, base: str, path: str
) -> None:
    closed = {"type": "websocket.close", "code": 1008}
    refused = Socket(door, f"{base}{path}")
    await refused.served
    assert (await refused.sent.get(), refused.sent.empty()) == (closed, True)
    async with asyncio.timeout(20), browser(door) as client:
        await sign_in(client, base)
        socket = Socket(door, f"{base}{path}", client.cookies[COOKIE])
        assert (await socket.sent.get())["type"] == "websocket.accept"
        assert (await socket.sent.get())["text"] == "the library"
        await client.post(f"{base}/sign-out")
        with pytest.raises(OSError, match="signed out"):
            await socket.served
        assert (await socket.sent.get(), socket.sent.empty()) == (closed, True)


async def test_a_websocket_ends_when_the_cookie_does(
    door: Door, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = time.time() // 1
    monkeypatch.setattr(time, "time", lambda: now_s)
    async with asyncio.timeout(20), browser(door) as client:
        await sign_in(client, base)
        monkeypatch.setattr(time, "time", lambda: now_s + LASTS_S)  # its last moment
        socket = Socket(door, f"{base}/_stcore/stream", client.cookies[COOKIE])
        with pytest.raises(OSError, match="signed out"):
            await socket.served


async def test_a_websocket_whose_app_has_finished_is_over(tmp_path: Path) -> None:
    async def short(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "code": 1000})

    visitors = Visitors(tmp_path, PASSWORD)
    socket = Socket(Door(short, HASH, visitors, "", "/share/"), "/", visitors.admit())
    async with asyncio.timeout(20):
        await socket.served
    assert (await socket.sent.get())["code"] == 1000
    assert socket.sent.empty()


async def test_the_start_and_the_end_of_the_server_go_past_it(door: Door) -> None:
    begun = asyncio.Event()

    async def nothing(*_: object) -> Any:
        return {}

    await door({"type": "lifespan", "begun": begun}, nothing, nothing)
    assert begun.is_set()
