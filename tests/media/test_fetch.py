import asyncio
import gc
import gzip
import os
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

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
from echostream.media.fetch import _write
from echostream.net import Network
from sites import PUBLIC, Answer, Names, Site, Wire, answer, moved


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


# --- refused: every such URL and address is in test_net.py ----------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
async def test_private_host_is_refused(inner: Site, host: str) -> None:
    with pytest.raises(UrlNotAllowed):
        await fetch(inner.url("/", host), max_bytes=1000, timeout_s=5)
    assert inner.connections == 0


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://a@127.0.0.1/", "http://[::1/", ""])
async def test_what_is_no_plain_http_url_is_refused(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        await fetch(url, max_bytes=1, timeout_s=5, allow_private=True)


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


async def test_rebinding_between_redirects(site: Site) -> None:
    names = Names(rebind_test=[[PUBLIC], ["127.0.0.1"]])
    wire = Wire()
    site.pages["/"] = moved("/secret")
    site.pages["/secret"] = answer(b"internal secret")

    with pytest.raises(UrlNotAllowed, match="not public"):
        await get_public(site.url("/", "rebind.test"), names, wire)
    assert wire.reached == [PUBLIC]
    assert len(site.requests) == 1


async def test_loopback_is_reached_when_allowed(site: Site) -> None:
    site.pages["/a%20b?x=%2F&y=1"] = answer(b"sound")

    for host in ("127.0.0.1", "localhost", "LOCALHOST"):
        assert await get(site.url("/a%20b?x=%2F&y=1#top", host)) == b"sound"
    assert await get("  " + site.url("/a b?x=%2F&y=1") + "\n") == b"sound"


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
