"""Download a file from a URL that a stranger chose.

The danger is the server's own network: a URL, a redirect or a DNS answer that leads to an internal
address. So every connection goes through `_CheckedBackend`: it resolves the name once, refuses it
if any answer is not public, and connects to an address it has just checked. Above it HTTP and TLS
still work with the name, so certificates are verified as usual. There is no second way out:
no proxy, cookie or credential is taken from the environment or carried to another host.
"""

import asyncio
import errno
import re
import socket
import ssl
import tempfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import BinaryIO

import httpcore2
import httpx2

from echostream.errors import (
    AudioTooLarge,
    InvalidAudio,
    StorageFull,
    UrlFetchFailed,
    UrlNotAllowed,
)

_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_BLOCK_BYTES = 1024 * 1024
_IDLE_TIMEOUTS_S = {"connect": 10.0, "write": 10.0, "read": 30.0, "pool": 10.0}

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-fA-F:.]+")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

_NAT64 = ip_network("64:ff9b::/96")
_GLOBAL_UNICAST_V6 = ip_network("2000::/3")

# Global by the letter of the registries, yet not somewhere a public file can be.
_REFUSED = (
    ip_network("168.63.129.16/32"),  # Azure's platform address, reachable from its machines only
    ip_network("192.0.0.0/24"),  # protocol assignments; Oracle Cloud's metadata is here
    ip_network("192.88.99.0/24"),  # 6to4 relays
    ip_network("2001::/23"),  # Teredo, which embeds IPv4, and other protocol assignments
    ip_network("2002::/16"),  # 6to4, which embeds IPv4
    ip_network("3fff::/20"),  # documentation
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives all addresses of a host name and port; raises OSError if there are none."""


async def system_resolve(host: str, port: int) -> list[str]:
    """Ask the operating system, in a thread of the event loop's pool."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in answers]


@dataclass(frozen=True, slots=True)
class Network:
    """What lies under `fetch`: names to addresses, sockets, trust. Tests bring their own."""

    resolve: Resolve = system_resolve
    backend: httpcore2.AsyncNetworkBackend = field(default_factory=httpcore2.AnyIOBackend)
    tls: ssl.SSLContext | None = None


async def fetch(
    url: str,
    *,
    max_bytes: int,
    timeout_s: float,
    allow_private: bool = False,
    network: Network | None = None,
) -> BinaryIO:
    """Download `url` into an unlinked temporary file at its start, which the caller closes.

    Up to five redirects are followed, from https to http too, and each is checked like `url`.

    Raises UrlNotAllowed for what is not a plain http(s) URL of a public address (any address with
    `allow_private`), UrlFetchFailed if the server cannot be reached, answers other than 2xx or is
    not done after `timeout_s`, AudioTooLarge past `max_bytes` of decoded body, InvalidAudio for a
    web page, StorageFull if the disk is. No message names an address.
    """
    network = network or Network()
    try:
        async with (
            asyncio.timeout(timeout_s),
            httpcore2.AsyncConnectionPool(
                ssl_context=network.tls,
                network_backend=_CheckedBackend(network, allow_private),
            ) as pool,
        ):
            return await _download(pool, _checked_url(url), max_bytes)
    except TimeoutError:
        raise UrlFetchFailed(f"The download took longer than {timeout_s:g} s.") from None
    except httpcore2.TimeoutException as error:
        raise UrlFetchFailed("The server of the URL does not answer.") from error
    except httpcore2.ConnectError as error:
        raise UrlFetchFailed("No valid connection to the server of the URL.") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        raise UrlFetchFailed("The server of the URL broke off its answer.") from error


def _checked_url(url: str | httpx2.URL) -> httpx2.URL:
    """Parse an absolute http(s) URL; raises UrlNotAllowed for anything of doubtful reading."""
    try:
        parsed = httpx2.URL(url.strip() if isinstance(url, str) else url)
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise UrlNotAllowed("The URL is malformed.") from error
    host = parsed.raw_host.decode("ascii")
    if parsed.scheme not in ("http", "https"):
        raise UrlNotAllowed("The URL must start with http:// or https://.")
    if parsed.userinfo:
        raise UrlNotAllowed("The URL must not contain a user name or password.")
    if not _HOST.fullmatch(host) or not 0 < _port(parsed) < 65536:
        raise UrlNotAllowed("The URL is malformed.")
    # Resolvers take 2130706433, 0x7f.1 and 0177.0.0.1 for addresses; nobody types them in earnest.
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) and _literal(host) is None:
        raise UrlNotAllowed("The URL is malformed.")
    return parsed


def _port(url: httpx2.URL) -> int:
    if url.port is None:
        return 443 if url.scheme == "https" else 80
    return url.port


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is of the public Internet, going by an IPv4 address embedded in it."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if address not in _GLOBAL_UNICAST_V6:
            return False
    refused = any(address in refused for refused in _REFUSED)
    return address.is_global and not address.is_multicast and not refused


class _CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to checked addresses only. One per download."""

    def __init__(self, network: Network, allow_private: bool) -> None:
        self._network = network
        self._allow_private = allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = httpcore2.ConnectError("The name has no address.")
        for address in await self._addresses(host, port):
            try:
                return await self._network.backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Resolve once; all answers must be public, for a mix of both is an attack."""
        try:
            found = [host] if _literal(host) else await self._network.resolve(host, port)
            addresses = [ip_address(address) for address in found]
        except (OSError, ValueError) as error:
            raise UrlFetchFailed("The host name of the URL cannot be resolved.") from error
        if not (self._allow_private or all(map(_is_public, addresses))):
            raise UrlNotAllowed("The URL leads to an address that is not public.")
        return [str(address) for address in addresses]


async def _download(
    pool: httpcore2.AsyncConnectionPool, url: httpx2.URL, max_bytes: int
) -> BinaryIO:
    for _ in range(_MAX_REDIRECTS + 1):
        async with _get(pool, url) as response:
            target = _header(response, "location")
            if response.status in _REDIRECTS and target:
                url = _redirected(url, target)
                continue
            _check_head(response, max_bytes)
            return await _save(response, max_bytes)
    raise UrlFetchFailed(f"The URL redirects more than {_MAX_REDIRECTS} times.")


@asynccontextmanager
async def _get(
    pool: httpcore2.AsyncConnectionPool, url: httpx2.URL
) -> AsyncIterator[httpcore2.Response]:
    # The parts as already parsed and checked: a second parser might read the text otherwise.
    target = httpcore2.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )
    headers: list[tuple[bytes | str, bytes | str]] = [
        ("Host", url.netloc),
        ("User-Agent", "EchoStream"),
        ("Accept", "audio/*, video/*, application/octet-stream;q=0.9, */*;q=0.1"),
        ("Accept-Encoding", "identity"),
    ]
    extensions = {"timeout": _IDLE_TIMEOUTS_S}
    async with pool.stream("GET", target, headers=headers, extensions=extensions) as response:
        yield response


def _redirected(url: httpx2.URL, target: str) -> httpx2.URL:
    try:
        return _checked_url(url.join(target))
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise UrlNotAllowed("The URL redirects to a malformed one.") from error


def _header(response: httpcore2.Response, name: str) -> str:
    """The first header of that name, or an empty string."""
    for key, value in response.headers:
        if key.lower() == name.encode():
            return value.decode("utf-8", "replace").strip()
    return ""


def _check_head(response: httpcore2.Response, max_bytes: int) -> None:
    if not 200 <= response.status < 300:
        known = response.status in HTTPStatus.__members__.values()
        phrase = f" ({HTTPStatus(response.status).phrase})" if known else ""
        raise UrlFetchFailed(f"The server of the URL answered {response.status}{phrase}.")
    length = _header(response, "content-length")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    if _header(response, "content-type").lower().startswith("text/html"):
        raise InvalidAudio(
            "The URL leads to a web page, not to an audio or video file; "
            "give the address of the file itself."
        )


def _too_large(max_bytes: int) -> AudioTooLarge:
    return AudioTooLarge(f"The file is larger than the {max_bytes / 1024**2:g} MiB allowed.")


async def _save(response: httpcore2.Response, max_bytes: int) -> BinaryIO:
    """Write the body to a temporary file, a block at a time and off the event loop."""
    decoder = _decoder(_header(response, "content-encoding").lower())
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it outlives this function
    try:
        written_bytes, block = 0, bytearray()
        async with aclosing(response.aiter_stream()) as chunks:
            async for chunk in chunks:
                for piece in _decoded(chunk, decoder):
                    block += piece
                    if written_bytes + len(block) > max_bytes:
                        raise _too_large(max_bytes)
                    if len(block) >= _BLOCK_BYTES:
                        await asyncio.to_thread(_write, file, block)
                        written_bytes, block = written_bytes + len(block), bytearray()
        if decoder is not None:
            block += decoder.flush()  # no more than the end of one match: 258 bytes
            if not decoder.eof:
                raise UrlFetchFailed("The server of the URL broke off its answer.")
        await asyncio.to_thread(_write, file, block)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _write(file: BinaryIO, block: bytearray) -> None:
    try:
        file.write(block)
        file.flush()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull("There is no room for the download.") from error
        raise


def _decoder(encoding: str) -> "zlib._Decompress | None":
    """Servers may compress although asked not to: gzip and zlib are read, the rest refused."""
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
    raise UrlFetchFailed("The server of the URL compressed its answer in an unknown way.")


def _decoded(chunk: bytes, decoder: "zlib._Decompress | None") -> Iterator[bytes]:
    """Decompress in pieces of bounded size, so that a bomb is seen before it goes off."""
    if decoder is None:
        yield chunk
        return
    try:
        while chunk and not decoder.eof:
            yield decoder.decompress(chunk, _BLOCK_BYTES)
            chunk = decoder.unconsumed_tail
    except zlib.error as error:
        raise UrlFetchFailed("The server of the URL sent a damaged answer.") from error
