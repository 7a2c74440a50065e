import asyncio
import gc
import gzip
import os
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import httpcore2
import pytest

from echostream.errors import (
    AudioTooLarge,
    EchoStreamError,
    InvalidAudio,
    StorageFull,
    UrlFetchFailed,
    UrlNotAllowed,
)
from echostream.media import decode, fetch
from echostream.media.fetch import Network, _write

PUBLIC = "93.184.216.34"
PUBLIC_V6 = "2606:2800:220:1::1"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Site:
    """A real HTTP server on loopback. `pages` maps a path to raw bytes or a coroutine function."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.pages: dict[str, bytes | Answer] = {}
        self.requests: list[str] = []
        self.connections = 0
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Site":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(request)
            page = self.pages.get(request.split()[1], answer(b"not here", status="404 Not Found"))
            if isinstance(page, bytes):
                writer.write(page)
            else:
                await page(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {length}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def moved(target: str, status: int = 302) -> bytes:
    return answer(b"elsewhere", f"Location: {target}", status=f"{status} Moved")


class Names:
    """A resolver from a table. A name with several answers gives the next one at each question."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host not in self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        answers = self._answers[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Wire(httpcore2.AnyIOBackend):
    """Real sockets, but public addresses are taken to loopback; `dead` ones refuse."""

    def __init__(self, *dead: str) -> None:
        self.reached: list[str] = []
        self._dead = dead

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.reached.append(host)
        if host in self._dead:
            raise httpcore2.ConnectError("refused")
        there = "127.0.0.1" if host in (PUBLIC, PUBLIC_V6) else host
        return await super().connect_tcp(there, port, timeout, local_address, socket_options)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


@pytest.fixture
async def inner() -> AsyncIterator[Site]:
    """A server that must not be reached."""
    async with Site() as site:
        site.pages["/"] = answer(b"internal secret")
        yield site


async def get(url: str, *, max_bytes: int = 10**6, timeout_s: float = 10.0) -> bytes:
    """Fetch from loopback."""
    with await fetch(url, max_bytes=max_bytes, timeout_s=timeout_s, allow_private=True) as file:
        return file.read()


async def get_public(url: str, names: Names, wire: Wire | None = None) -> bytes:
    """Fetch as in production, from the made-up Internet of `names`."""
    network = Network(resolve=names, backend=wire or Wire())
    with await fetch(url, max_bytes=10**6, timeout_s=10, network=network) as file:
        return file.read()


# --- refused --------------------------------------------------------------------------------------

PRIVATE_HOSTS = [
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "127。0。0。1", "127．0．0．1", "localhost",
    "LOCALHOST", "LocalHost", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1",
    "172.31.255.255", "192.168.0.1", "192.168.255.255", "169.254.169.254", "169.254.170.2",
    "100.64.0.1", "100.100.100.200", "100.127.255.255", "168.63.129.16", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "[::1]", "[::]",
    "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::ffff:127.0.0.1]", "[::FFFF:7F00:1]",
    "[::ffff:169.254.169.254]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]",
    "[2001:0:7f00:1::]", "[2001:db8::1]", "[3fff::1]", "[100::1]", "[fc00::1]", "[fd00:ec2::254]",
    "[fdff::1]", "[fe80::1]", "[febf::1]", "[fec0::1]", "[ff02::1]", "[ff0e::1]", "[5f00::1]",
]  # fmt: skip

MALFORMED_HOSTS = [
    "127.1", "127.0.1", "2130706433", "2130706433.", "0", "0x7f000001", "0X7F000001", "0x7f.0.0.1",
    "0x7f.1", "0177.0.0.1", "017700000001", "0177.0.0.01", "127.0.0.01", "127.0.0.0x1",
    "256.0.0.1", "127.0.0.1.1", "1.2.3", "127.0.0.1..", "4294967297", "0x", "foo.0x1", "foo.1",
    "127.0.0.1.", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "ⓛocalhost", "ｌｏｃａｌｈｏｓｔ",
    "%31%32%37.0.0.1", "127.0.0.1%00.example.com", "127.0.0.1%2eexample.com", "loc%61lhost",
    "[::1%25lo]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[127.0.0.1]", "[::1", "[::1]x",
    "[v1.fe80::1]", "", "local host", "local\thost", "local\nhost", "a\\b", "a|b", "a`b", "\ud800",
    "a\u200bb",
]  # fmt: skip

USERINFO = [
    "user@",
    "user:password@",
    "example.com@",
    "example.com:80@",
    "example.com\\@",
    "@",
    ":@",
]

NOT_HTTP = [
    "file:///etc/passwd", "FILE:///etc/passwd", "file://localhost/etc/passwd", "ftp://127.0.0.1/",
    "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:11211/stat",
    "data:audio/wav;base64,UklGRg==", "javascript:alert(1)", "ws://127.0.0.1/",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "jar:http://a/", "//127.0.0.1/", "/etc/passwd",
    "127.0.0.1", "127.0.0.1:80/a", "localhost:80", "example.com/a.mp3", "", " ", "http", "http:",
    "http:/", "http://", "http:///a", "http:127.0.0.1", "http:/127.0.0.1/", "https://",
    "htt\tp://127.0.0.1/", "http://127.0.0.1\r\nHost: a/", "\x00http://127.0.0.1/",
]  # fmt: skip


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", PRIVATE_HOSTS)
async def test_private_host_is_refused(inner: Site, host: str, scheme: str) -> None:
    with pytest.raises(UrlNotAllowed, match="not public") as caught:
        await fetch(inner.url("/", host, scheme), max_bytes=1000, timeout_s=5)

    assert not any(character.isdigit() for character in str(caught.value))
    assert inner.connections == 0


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize("host", MALFORMED_HOSTS)
async def test_malformed_host_is_refused(inner: Site, host: str, allow_private: bool) -> None:
    with pytest.raises(UrlNotAllowed, match="malformed"):
        await fetch(inner.url("/", host), max_bytes=1000, timeout_s=5, allow_private=allow_private)
    assert inner.connections == 0


@pytest.mark.parametrize("userinfo", USERINFO)
async def test_userinfo_is_refused(inner: Site, userinfo: str) -> None:
    with pytest.raises(UrlNotAllowed):
        await fetch(inner.url("/", f"{userinfo}127.0.0.1"), max_bytes=1000, timeout_s=5)
    assert inner.connections == 0


@pytest.mark.parametrize("url", NOT_HTTP)
async def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        await fetch(url, max_bytes=1000, timeout_s=5, allow_private=True)


@pytest.mark.parametrize("port", ["0", "65536", "99999999999", "-1", "x", "80x", "0x50"])
async def test_port_out_of_range_is_refused(port: str) -> None:
    with pytest.raises(UrlNotAllowed, match="malformed"):
        await fetch(f"http://127.0.0.1:{port}/", max_bytes=1, timeout_s=5, allow_private=True)


async def test_endless_url_is_refused() -> None:
    with pytest.raises(UrlNotAllowed):
        await fetch("http://127.0.0.1/" + "a" * 100_000, max_bytes=1, timeout_s=5)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["10.0.0.1"],
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, PUBLIC_V6, "::ffff:10.0.0.1"],
        [PUBLIC, "fe80::1%lo"],
    ],
)
async def test_name_with_any_private_address_is_refused(site: Site, addresses: list[str]) -> None:
    wire = Wire()

    with pytest.raises(UrlNotAllowed, match="not public"):
        await get_public(site.url("/", "mixed.test"), Names(mixed_test=[addresses]), wire)
    assert wire.reached == []


# --- redirects and rebinding ----------------------------------------------------------------------

REDIRECTS = [
    "http://127.0.0.1:{port}/", "//127.0.0.1:{port}/", "http://localhost:{port}/",
    "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://2130706433:{port}/",
    "http://127.1:{port}/", "http://0x7f.0.0.1:{port}/", "https://127.0.0.1:{port}/",
    "http://private.test:{port}/", "http://mixed.test:{port}/", "http://user@public.test:{port}/",
    "file:///etc/passwd", "ftp://public.test/", "gopher://127.0.0.1:{port}/", "data:,x",
    "http://[::1", "http://public.test:0/", "http://public.test\\@127.0.0.1:{port}/",
    "HTTP://127.0.0.1:{port}/", "http:\\\\127.0.0.1:{port}/",
]  # fmt: skip


@pytest.mark.parametrize("target", REDIRECTS)
async def test_redirect_to_a_refused_place(site: Site, inner: Site, target: str) -> None:
    names = Names(
        public_test=[[PUBLIC]],
        private_test=[["127.0.0.1"]],
        mixed_test=[[PUBLIC, "127.0.0.1"]],
        localhost=[["127.0.0.1"]],
    )
    wire = Wire()
    site.pages["/"] = moved(target.replace("{port}", str(inner.port)))

    # A backslash makes a path of the last one: a page of the public site that is not there.
    expected = UrlFetchFailed if target.startswith("http:\\") else UrlNotAllowed
    with pytest.raises((expected, UrlNotAllowed)) as caught:
        await get_public(site.url("/", "public.test"), names, wire)
    assert inner.connections == 0
    assert set(wire.reached) == {PUBLIC}
    assert "127" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["/there", "there", "?/../there", "//public.test:{port}/there"])
async def test_redirect_is_followed(site: Site, status: int, target: str) -> None:
    site.pages["/here/"] = moved(target.replace("{port}", str(site.port)), status)
    for path in ("/there", "/here/there", "/here/?/../there"):
        site.pages[path] = answer(b"sound")

    assert await get_public(site.url("/here/", "public.test"), Names(public_test=[[PUBLIC]])) == (
        b"sound"
    )


async def test_redirects_carry_nothing_along(site: Site) -> None:
    site.pages["/"] = answer(
        b"", f"Location: {site.url('/there', 'other.test')}", "Set-Cookie: a=b", status="302 Found"
    )
    site.pages["/there"] = answer(b"sound")

    await get_public(
        site.url("/", "public.test"), Names(public_test=[[PUBLIC]], other_test=[[PUBLIC]])
    )

    first, second = (request.lower() for request in site.requests)
    assert f"host: public.test:{site.port}" in first
    assert f"host: other.test:{site.port}" in second
    for word in ("cookie", "authorization", "referer"):
        assert word not in first + second


@pytest.mark.parametrize(("hops", "works"), [(5, True), (6, False)])
async def test_number_of_redirects(site: Site, hops: int, works: bool) -> None:
    for hop in range(hops):
        site.pages[f"/{hop}"] = moved(f"/{hop + 1}")
    site.pages[f"/{hops}"] = answer(b"sound")

    if works:
        assert await get(site.url("/0")) == b"sound"
    else:
        with pytest.raises(UrlFetchFailed, match="more than 5 times"):
            await get(site.url("/0"))


async def test_redirect_loop(site: Site) -> None:
    site.pages["/"] = moved("/")

    with pytest.raises(UrlFetchFailed, match="redirects more than"):
        await get(site.url())
    assert site.connections == 6


async def test_name_is_asked_for_once_per_connection(site: Site) -> None:
    names = Names(rebind_test=[[PUBLIC], ["127.0.0.1"]])
    wire = Wire()
    site.pages["/"] = answer(b"sound")

    assert await get_public(site.url("/", "rebind.test"), names, wire) == b"sound"
    assert names.asked == ["rebind.test"]
    assert wire.reached == [PUBLIC]


async def test_rebinding_between_redirects(site: Site) -> None:
    names = Names(rebind_test=[[PUBLIC], ["127.0.0.1"]])
    wire = Wire()
    site.pages["/"] = moved("/secret")
    site.pages["/secret"] = answer(b"internal secret")

    with pytest.raises(UrlNotAllowed, match="not public"):
        await get_public(site.url("/", "rebind.test"), names, wire)
    assert wire.reached == [PUBLIC]
    assert len(site.requests) == 1


async def test_next_address_is_tried(site: Site) -> None:
    wire = Wire(PUBLIC_V6)
    site.pages["/"] = answer(b"sound")

    names = Names(public_test=[[PUBLIC_V6, PUBLIC]])
    assert await get_public(site.url("/", "public.test"), names, wire) == b"sound"
    assert wire.reached == [PUBLIC_V6, PUBLIC]


@pytest.mark.parametrize(
    "address", [PUBLIC, f"[{PUBLIC_V6}]", "[64:ff9b::5db8:d822]", "[::ffff:93.184.216.34]"]
)
async def test_public_literals_are_connected_to(address: str) -> None:
    wire = Wire(PUBLIC, PUBLIC_V6, "64:ff9b::5db8:d822", "::ffff:5db8:d822")

    with pytest.raises(UrlFetchFailed, match="No valid connection"):
        await get_public(f"http://{address}/", Names(), wire)
    assert len(wire.reached) == 1


# --- the way out ----------------------------------------------------------------------------------


async def test_proxies_of_the_environment_are_ignored(
    site: Site, inner: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, inner.url())
    site.pages["/"] = answer(b"sound")

    assert await get(site.url()) == b"sound"
    assert inner.connections == 0


async def test_loopback_is_reached_when_allowed(site: Site) -> None:
    site.pages["/a%20b?x=%2F&y=1"] = answer(b"sound")

    for host in ("127.0.0.1", "localhost", "LOCALHOST"):
        assert await get(site.url("/a%20b?x=%2F&y=1#top", host)) == b"sound"
    assert await get("  " + site.url("/a b?x=%2F&y=1") + "\n") == b"sound"


async def test_unknown_name() -> None:
    with pytest.raises(UrlFetchFailed, match="cannot be resolved"):
        await get_public("http://nowhere.test/", Names())


@pytest.mark.parametrize("found", [[], ["not an address"]])
async def test_resolver_without_an_answer(found: list[str]) -> None:
    with pytest.raises(UrlFetchFailed):
        await get_public("http://nowhere.test/", Names(nowhere_test=[found]))


async def test_overlong_label() -> None:
    with pytest.raises(UrlFetchFailed, match="cannot be resolved"):
        await fetch(f"http://{'a' * 70}.test/", max_bytes=1, timeout_s=5)


async def test_closed_port() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(UrlFetchFailed, match="No valid connection"):
            await get(f"http://127.0.0.1:{unused.getsockname()[1]}/")


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of public.test, key and all."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "public.test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    signed = (
        builder.not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("public.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("tls") / "public.test.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(pem)
    )
    return path


@asynccontextmanager
async def tls_site(certificate: Path, names_sent: list[str | None]) -> AsyncIterator[Site]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _, name, __: names_sent.append(name)
    async with Site(context) as site:
        site.pages["/"] = answer(b"sound")
        yield site


async def test_tls_verifies_the_name_not_the_address(certificate: Path) -> None:
    names = Names(public_test=[[PUBLIC]], other_test=[[PUBLIC]])
    trust = ssl.create_default_context(cafile=str(certificate))
    network = Network(resolve=names, backend=Wire(), tls=trust)
    sent: list[str | None] = []
    async with tls_site(certificate, sent) as site:
        good, bad = (site.url("/", f"{name}.test", "https") for name in ("public", "other"))
        with await fetch(good, max_bytes=1000, timeout_s=5, network=network) as file:
            assert file.read() == b"sound"
        with pytest.raises(UrlFetchFailed, match="No valid connection"):
            await fetch(bad, max_bytes=1000, timeout_s=5, network=network)
        assert len(site.requests) == 1

    assert sent == ["public.test", "other.test"]


async def test_tls_trusts_nobody_unknown(certificate: Path) -> None:
    async with tls_site(certificate, []) as site:
        with pytest.raises(UrlFetchFailed, match="No valid connection"):
            await get_public(site.url("/", "public.test", "https"), Names(public_test=[[PUBLIC]]))
        assert site.requests == []


# --- what the server sends ------------------------------------------------------------------------


def chunked(*chunks: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


BODIES = {
    "empty": (answer(b""), b""),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "sized": (answer(b"sound"), b"sound"),
    "chunked": (chunked(b"so", b"und"), b"sound"),
    "until closed": (b"HTTP/1.1 200 OK\r\n\r\nsound", b"sound"),
    "http 1.0": (b"HTTP/1.0 200 OK\r\n\r\nsound", b"sound"),
    "after 103": (b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(b"sound"), b"sound"),
    "gzip": (answer(gzip.compress(b"sound"), "Content-Encoding: gzip"), b"sound"),
    "zlib": (answer(zlib.compress(b"sound"), "Content-Encoding: Deflate"), b"sound"),
    "identity": (answer(b"sound", "Content-Encoding: identity"), b"sound"),
    "at the limit": (answer(bytes(10**6)), bytes(10**6)),
    "at the limit, gzip": (
        answer(gzip.compress(bytes(10**6)), "Content-Encoding: gzip"),
        bytes(10**6),
    ),
    "audio called text": (answer(b"sound", "Content-Type: text/plain"), b"sound"),
}


@pytest.mark.parametrize("case", BODIES)
async def test_body(site: Site, case: str) -> None:
    site.pages["/"], body = BODIES[case]

    assert await get(site.url()) == body


FAULTS: dict[str, tuple[bytes, type[EchoStreamError], str]] = {
    "400": (answer(b"", status="400 x"), UrlFetchFailed, r"answered 400 \(Bad Request\)"),
    "401": (answer(b"", status="401 x"), UrlFetchFailed, "answered 401"),
    "403": (answer(b"", status="403 x"), UrlFetchFailed, "answered 403"),
    "404": (answer(b"", status="404 x"), UrlFetchFailed, r"answered 404 \(Not Found\)"),
    "500": (answer(b"", status="500 x"), UrlFetchFailed, "answered 500"),
    "503": (answer(b"", status="503 x"), UrlFetchFailed, "answered 503"),
    "599": (answer(b"", status="599 x"), UrlFetchFailed, r"answered 599\.$"),
    "304": (answer(b"", status="304 x"), UrlFetchFailed, "answered 304"),
    "300": (answer(b"", status="300 x"), UrlFetchFailed, "answered 300"),
    "302 to nowhere": (answer(b"", status="302 x"), UrlFetchFailed, "answered 302"),
    "too large by its head": (answer(b"", length=10**6 + 1), AudioTooLarge, "0.953674 MiB"),
    "far too large": (answer(b"", length=10**18), AudioTooLarge, "larger than"),
    "too large by one": (chunked(bytes(10**6), b"x"), AudioTooLarge, "larger than"),
    "gzip bomb": (
        answer(gzip.compress(bytes(300 * 10**6), 1), "Content-Encoding: gzip"),
        AudioTooLarge,
        "larger than",
    ),
    "web page": (answer(b"<html>", "Content-Type: text/html"), InvalidAudio, "web page"),
    "web page, charset": (
        answer(b"<html>", "Content-Type: Text/HTML; charset=utf-8"),
        InvalidAudio,
        "address of the file itself",
    ),
    "cut short": (answer(b"sound", length=10), UrlFetchFailed, "broke off"),
    "cut chunk": (chunked(b"sound")[:-8], UrlFetchFailed, "broke off"),
    "cut gzip": (
        answer(gzip.compress(b"sound" * 99)[:-9], "Content-Encoding: gzip"),
        UrlFetchFailed,
        "broke off",
    ),
    "no gzip": (answer(b"sound", "Content-Encoding: gzip"), UrlFetchFailed, "damaged"),
    "brotli": (answer(b"sound", "Content-Encoding: br"), UrlFetchFailed, "compressed"),
    "gzip twice": (answer(b"", "Content-Encoding: gzip, gzip"), UrlFetchFailed, "compressed"),
    "no answer": (b"", UrlFetchFailed, "broke off"),
    "no http": (b"SSH-2.0-OpenSSH_9.2\r\n", UrlFetchFailed, "broke off"),
    "endless head": (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 300_000, UrlFetchFailed, "broke off"),
    "length no number": (answer(b"", "Content-Length: x"), UrlFetchFailed, "broke off"),
    "two lengths": (answer(b"", "Content-Length: 5"), UrlFetchFailed, "broke off"),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_fault(site: Site, case: str) -> None:
    site.pages["/"], error, reason = FAULTS[case]

    with pytest.raises(error, match=reason) as caught:
        await get(site.url())
    assert type(caught.value) is error
    gc.collect()  # an unclosed file or socket would be a warning, which is an error


async def test_bytes_past_the_length_are_left_out(site: Site) -> None:
    site.pages["/"] = answer(b"sound and more", length=5)

    assert await get(site.url()) == b"sound"


async def endless_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        await writer.drain()


async def test_endless_body(site: Site) -> None:
    site.pages["/"] = endless_body

    with pytest.raises(AudioTooLarge):
        await get(site.url(), max_bytes=5 * 10**6)


async def says_nothing(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def stops_in_the_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-")
    await asyncio.Event().wait()


async def stops_in_the_body(writer: asyncio.StreamWriter) -> None:
    writer.write(answer(b"sou", length=5))
    await asyncio.Event().wait()


async def drips(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def early_hints_forever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()


SLOW = [says_nothing, stops_in_the_head, stops_in_the_body, drips, early_hints_forever]


@pytest.mark.parametrize("page", SLOW, ids=lambda page: page.__name__)
async def test_total_time_is_limited(site: Site, page: Answer) -> None:
    site.pages["/"] = page

    with pytest.raises(UrlFetchFailed, match=r"longer than 0\.2 s"):
        await get(site.url(), timeout_s=0.2)
    gc.collect()


async def test_slow_resolver_counts_too() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    network = Network(resolve=never)
    with pytest.raises(UrlFetchFailed, match="longer than"):
        await fetch("http://slow.test/", max_bytes=1, timeout_s=0.1, network=network)


# --- the file -------------------------------------------------------------------------------------


async def test_large_body_arrives_whole(site: Site) -> None:
    body = os.urandom(5 * 1024**2 + 123)
    site.pages["/"] = answer(body)

    assert await get(site.url(), max_bytes=len(body)) == body


async def test_file_is_unlinked_and_can_be_decoded(site: Site, tone: Path) -> None:
    site.pages["/tone.wav"] = answer(content(tone))
    url = site.url("/tone.wav")

    with await fetch(url, max_bytes=10**6, timeout_s=5, allow_private=True) as file:
        assert os.fstat(file.fileno()).st_nlink == 0
        assert file.tell() == 0
        assert len(await decode(file, max_audio_s=2, timeout_s=10)) == 16_000


def content(path: Path) -> bytes:
    return path.read_bytes()


async def test_cancelling_leaves_nothing_open(site: Site) -> None:
    asked = asyncio.Event()

    async def page(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(bytes(3 * 1024**2), length=10**7))
        await writer.drain()
        asked.set()
        await asyncio.Event().wait()

    site.pages["/"] = page
    before = open_files()
    task = asyncio.create_task(get(site.url(), max_bytes=10**8))
    await asked.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()
    assert open_files() == before


def open_files() -> int:
    """Regular files this process has open; sockets of the server come and go."""
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return sum(os.path.isfile(link) or "(deleted)" in _target(link) for link in links)


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def test_full_disk() -> None:
    full: BinaryIO = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - typed on its own
    with full, pytest.raises(StorageFull, match="no room"):
        _write(full, bytearray(10))
