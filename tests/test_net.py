"""The guard on what goes out: which URLs and addresses, and what is connected to."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import httpcore2
import httpx2
import pytest

from echostream import net
from echostream.errors import UrlFetchFailed, UrlNotAllowed
from echostream.net import (
    Network,
    check_url,
    checked_pool,
    checked_url,
    exchange,
    header,
    is_public,
    status_text,
)
from sites import PUBLIC, PUBLIC_V6, Names, Site, Wire, answer, self_signed


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


async def get(
    url: str,
    names: Names | None = None,
    wire: Wire | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    allow_private: bool = False,
) -> bytes:
    """The page of a URL; the made-up Internet of `names`, if given, in place of the system's."""
    network = Network(resolve=names, backend=wire or Wire(), tls=tls) if names else Network()
    async with (
        checked_pool(network, allow_private) as pool,
        exchange(pool, "GET", checked_url(url), []) as response,
    ):
        return await response.aread()


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
    "user@", "user:password@", "example.com@", "example.com:80@", "example.com\\@", ":@",
]  # fmt: skip

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
        await get(inner.url("/", host, scheme))

    assert not any(character.isdigit() for character in str(caught.value))
    assert inner.connections == 0


@pytest.mark.parametrize("host", [*PRIVATE_HOSTS, "localhost.", "a.localhost"])
def test_private_host_is_seen_without_a_resolver(host: str) -> None:
    with pytest.raises(UrlNotAllowed, match="not public"):
        check_url(f"http://{host}/", allow_private=False)
    check_url(f"http://{host}/", allow_private=True)


@pytest.mark.parametrize("host", [PUBLIC, f"[{PUBLIC_V6}]", "example.com", "localhost.example.com"])
def test_check_passes_the_rest(host: str) -> None:
    check_url(f"https://{host}/a?b", allow_private=False)


def test_an_embedded_address_counts_to_its_last_bit() -> None:
    assert is_public(ip_address("64:ff9b::168.63.129.17"))
    assert not is_public(ip_address("64:ff9b::168.63.129.16"))


@pytest.mark.parametrize("host", MALFORMED_HOSTS)
def test_malformed_host_is_refused(host: str) -> None:
    with pytest.raises(UrlNotAllowed, match="malformed"):
        checked_url(f"http://{host}:80/")


@pytest.mark.parametrize("userinfo", USERINFO)
def test_userinfo_is_refused(userinfo: str) -> None:
    with pytest.raises(UrlNotAllowed):
        checked_url(f"http://{userinfo}127.0.0.1/")


def test_empty_userinfo_hides_nothing() -> None:
    assert checked_url("http://@example.com/").netloc == b"example.com"
    with pytest.raises(UrlNotAllowed, match="not public"):
        check_url("http://@127.0.0.1/", allow_private=False)


@pytest.mark.parametrize("url", NOT_HTTP)
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        checked_url(url)


@pytest.mark.parametrize("port", ["0", "65536", "99999999999", "-1", "x", "80x", "0x50"])
def test_port_out_of_range_is_refused(port: str) -> None:
    with pytest.raises(UrlNotAllowed, match="malformed"):
        checked_url(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("port", [":1", ":65535", ""])
def test_any_other_port_is_taken(port: str) -> None:
    url = checked_url(f" http://example.com{port}/a?b \n")
    assert str(url) == f"http://example.com{port}/a?b"
    assert checked_url(url) == checked_url(httpx2.URL(url)) == url


def test_endless_url_is_refused() -> None:
    with pytest.raises(UrlNotAllowed):
        checked_url("http://127.0.0.1/" + "a" * 100_000)


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
        await get(site.url("/", "mixed.test"), Names(mixed_test=[addresses]), wire)
    assert wire.reached == []


async def test_name_is_asked_for_once_per_connection(site: Site) -> None:
    names = Names(rebind_test=[[PUBLIC], ["127.0.0.1"]])
    wire = Wire()
    site.pages["/"] = answer(b"sound")

    assert await get(site.url("/", "rebind.test"), names, wire) == b"sound"
    assert names.asked == ["rebind.test"]
    assert wire.reached == [PUBLIC]


async def test_next_address_is_tried(site: Site) -> None:
    wire = Wire(PUBLIC_V6)
    site.pages["/"] = answer(b"sound")

    names = Names(public_test=[[PUBLIC_V6, PUBLIC]])
    assert await get(site.url("/", "public.test"), names, wire) == b"sound"
    assert wire.reached == [PUBLIC_V6, PUBLIC]


@pytest.mark.parametrize(
    "address", [PUBLIC, f"[{PUBLIC_V6}]", "[64:ff9b::5db8:d822]", "[::ffff:93.184.216.34]"]
)
async def test_public_literals_are_connected_to(address: str) -> None:
    wire = Wire(PUBLIC, PUBLIC_V6, "64:ff9b::5db8:d822", "::ffff:5db8:d822")

    with pytest.raises(UrlFetchFailed, match="No valid connection"):
        await get(f"http://{address}/", Names(), wire)
    assert len(wire.reached) == 1


# --- the way out ----------------------------------------------------------------------------------


async def test_what_is_sent(site: Site) -> None:
    site.pages["/hook"] = answer(b"thanks")
    async with (
        checked_pool(Network(), allow_private=True) as pool,
        exchange(pool, "POST", checked_url(site.url("/hook")), [("X-A", "b")], b"body") as got,
    ):
        assert (got.status, await got.aread()) == (200, b"thanks")
    [head] = site.requests
    first, *lines = head.strip().split("\r\n")
    assert first == "POST /hook HTTP/1.1"
    assert lines[:3] == [f"Host: 127.0.0.1:{site.port}", "User-Agent: EchoStream", "X-A: b"]
    assert site.bodies == [b"body"]


def test_headers_and_statuses_as_text() -> None:
    lines = [(b"A", b"x"), (b"Retry-After", b" 7 "), (b"retry-after", b"8"), (b"B", b"\xff")]
    got = httpcore2.Response(200, headers=lines)
    assert [header(got, name) for name in ("retry-after", "b", "c")] == ["7", "\ufffd", ""]
    assert [status_text(status) for status in (404, 599)] == ["404 (Not Found)", "599"]


class Unreachable(httpcore2.AsyncNetworkBackend):
    timeout_s: float | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        *_: object,
    ) -> httpcore2.AsyncNetworkStream:
        self.timeout_s = timeout
        raise httpcore2.ConnectTimeout


async def test_who_does_not_take_the_call_is_waited_for_ten_seconds() -> None:
    backend = Unreachable()
    network = Network(Names(public_test=[[PUBLIC]]), backend)
    with pytest.raises(UrlFetchFailed, match="does not answer"):
        async with (
            checked_pool(network, allow_private=False) as pool,
            exchange(pool, "GET", checked_url("http://public.test/"), []),
        ):
            pass
    assert backend.timeout_s == 10.0


async def test_who_does_not_speak_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    site.pages["/"] = silent
    monkeypatch.setitem(net._IDLE_TIMEOUTS_S, "read", 0.05)
    with pytest.raises(UrlFetchFailed, match="does not answer"):
        await get(site.url(), allow_private=True)


async def test_half_an_answer_is_none(site: Site) -> None:
    site.pages["/"] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    with pytest.raises(UrlFetchFailed, match="broke off"):
        await get(site.url(), allow_private=True)


async def test_proxies_of_the_environment_are_ignored(
    site: Site, inner: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, inner.url())
    site.pages["/"] = answer(b"sound")

    assert await get(site.url(), allow_private=True) == b"sound"
    assert inner.connections == 0


async def test_unknown_name() -> None:
    with pytest.raises(UrlFetchFailed, match="cannot be resolved"):
        await get("http://nowhere.test/", Names())


@pytest.mark.parametrize("found", [[], ["not an address"]])
async def test_resolver_without_an_answer(found: list[str]) -> None:
    with pytest.raises(UrlFetchFailed):
        await get("http://nowhere.test/", Names(nowhere_test=[found]))


async def test_overlong_label() -> None:
    with pytest.raises(UrlFetchFailed, match="cannot be resolved"):
        await get(f"http://{'a' * 70}.test/")


async def test_closed_port() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(UrlFetchFailed, match="No valid connection"):
            await get(f"http://127.0.0.1:{unused.getsockname()[1]}/", allow_private=True)


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), "public.test")


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
    sent: list[str | None] = []
    async with tls_site(certificate, sent) as site:
        good, bad = (site.url("/", f"{name}.test", "https") for name in ("public", "other"))
        assert await get(good, names, tls=trust) == b"sound"
        with pytest.raises(UrlFetchFailed, match="No valid connection"):
            await get(bad, names, tls=trust)
        assert len(site.requests) == 1

    assert sent == ["public.test", "other.test"]


async def test_tls_trusts_nobody_unknown(certificate: Path) -> None:
    async with tls_site(certificate, []) as site:
        with pytest.raises(UrlFetchFailed, match="No valid connection"):
            await get(site.url("/", "public.test", "https"), Names(public_test=[[PUBLIC]]))
        assert site.requests == []
