"""HTTP requests to untrusted URLs. All downloads and webhooks go through this module.

The danger is the server's own network: a URL, a redirect or a DNS answer may lead to an internal
address. So every connection goes through `_CheckedBackend`: it resolves the name once, refuses it
if any answer is not public, and connects to an address it has just checked. HTTP and TLS above it
still use the name, so certificates are verified as usual. Nothing can bypass this: no proxy, cookie
or credential is taken from the environment or sent to another host.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

import httpcore2
import httpx2

from echostream.errors import UrlFetchFailed, UrlNotAllowed

_IDLE_TIMEOUTS_S = {"connect": 10.0, "write": 10.0, "read": 30.0, "pool": 10.0}

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-fA-F:.]+")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

_NAT64 = ip_network("64:ff9b::/96")
_GLOBAL_UNICAST_V6 = ip_network("2000::/3")

# Global according to the registries, but no place for a public file.
_REFUSED = (
    ip_network("168.63.129.16/32"),  # Azure's platform address, reachable from its machines only
    ip_network("192.0.0.0/24"),  # protocol assignments; Oracle Cloud's metadata is here
    ip_network("192.88.99.0/24"),  # 6to4 relays
    ip_network("2001::/23"),  # Teredo, which embeds IPv4, and other protocol assignments
    ip_network("2002::/16"),  # 6to4, which embeds IPv4
    ip_network("3fff::/20"),  # documentation
)

Pool: TypeAlias = httpcore2.AsyncConnectionPool
Response: TypeAlias = httpcore2.Response
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns all addresses of a host name and port; raises OSError if there are none."""


async def system_resolve(host: str, port: int) -> list[str]:
    """Asks the operating system, in a thread of the event loop's pool."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in answers]


@dataclass(frozen=True, slots=True)
class Network:
    """The layers below HTTP: name resolution, sockets, certificates. Tests replace them."""

    resolve: Resolve = system_resolve
    backend: httpcore2.AsyncNetworkBackend = field(default_factory=httpcore2.AnyIOBackend)
    tls: ssl.SSLContext | None = None


@asynccontextmanager
async def checked_pool(network: Network, allow_private: bool) -> AsyncIterator[Pool]:
    """A pool that only connects to public addresses, or to any address with `allow_private`.

    Inside the context, a refused address raises UrlNotAllowed, and connection errors become
    UrlFetchFailed. No message names an address.
    """
    backend = _CheckedBackend(network, allow_private)
    try:
        async with httpcore2.AsyncConnectionPool(
            ssl_context=network.tls, network_backend=backend
        ) as pool:
            yield pool
    except httpcore2.TimeoutException as error:
        raise UrlFetchFailed("The server of the URL does not answer.") from error
    except httpcore2.ConnectError as error:
        raise UrlFetchFailed("No valid connection to the server of the URL.") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        raise UrlFetchFailed("The server of the URL broke off its answer.") from error


@asynccontextmanager
async def exchange(
    pool: Pool,
    method: str,
    url: httpx2.URL,
    headers: Iterable[tuple[str, str]],
    body: bytes | None = None,
) -> AsyncIterator[Response]:
    """Sends one request to a URL from `checked_url`; yields the response with an unread body."""
    # Uses the parsed and checked parts: another parser might read the text differently.
    target = httpcore2.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )
    lines: list[tuple[bytes | str, bytes | str]] = [
        ("Host", url.netloc),
        ("User-Agent", "EchoStream"),
        *headers,
    ]
    extensions = {"timeout": _IDLE_TIMEOUTS_S}
    async with pool.stream(
        method, target, headers=lines, content=body, extensions=extensions
    ) as response:
        yield response


def header(response: Response, name: str) -> str:
    """The first header of that name, in lower case, or an empty string."""
    for key, value in response.headers:
        if key.lower() == name.encode():
            return value.decode("utf-8", "replace").strip()
    return ""


def status_text(status: int) -> str:
    """A status for a sentence: `404 (Not Found)`, `599`."""
    known = status in HTTPStatus.__members__.values()
    return f"{status} ({HTTPStatus(status).phrase})" if known else str(status)


def checked_url(url: str | httpx2.URL) -> httpx2.URL:
    """Parses an absolute http(s) URL; raises UrlNotAllowed for anything ambiguous."""
    try:
        parsed = httpx2.URL(url.strip() if isinstance(url, str) else url)
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise UrlNotAllowed("The URL is malformed.") from error
    host = parsed.raw_host.decode("ascii")
    if parsed.scheme not in ("http", "https"):
        raise UrlNotAllowed("The URL must start with http:// or https://.")
    if parsed.userinfo:
        raise UrlNotAllowed("The URL must not contain a user name or password.")
    has_port = parsed.port is None or 0 < parsed.port < 65536
    if not _HOST.fullmatch(host) or not has_port:
        raise UrlNotAllowed("The URL is malformed.")
    # Resolvers accept 2130706433, 0x7f.1 and 0177.0.0.1 as addresses; no honest URL has them.
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) and _literal(host) is None:
        raise UrlNotAllowed("The URL is malformed.")
    return parsed


def check_url(url: str, *, allow_private: bool) -> None:
    """Checks a URL before it is used, without resolving its name.

    Raises UrlNotAllowed like `checked_url`, and also for a literal private address.
    """
    host = checked_url(url).raw_host.decode("ascii")
    literal = _literal(host)
    local = host.rstrip(".").rpartition(".")[2] == "localhost"
    if not allow_private and (local or (literal is not None and not is_public(literal))):
        raise _not_public()


def _not_public() -> UrlNotAllowed:
    return UrlNotAllowed("The URL leads to an address that is not public.")


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is public. For an IPv6 address with an embedded IPv4 one, that counts."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in _GLOBAL_UNICAST_V6:
            return False
    refused = any(address in refused for refused in _REFUSED)
    return address.is_global and not address.is_multicast and not refused


class _CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Connects only to checked addresses. One per pool."""

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
        """Resolves once. All answers must be public: a mix of both would be an attack."""
        try:
            found = [host] if _literal(host) else await self._network.resolve(host, port)
            addresses = [ip_address(address) for address in found]
        except (OSError, ValueError) as error:
            raise UrlFetchFailed("The host name of the URL cannot be resolved.") from error
        if not (self._allow_private or all(map(is_public, addresses))):
            raise _not_public()
        return [str(address) for address in addresses]
