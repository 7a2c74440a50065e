"""Which names a server answers to, and to which web pages: for servers that need no token. And who
asks, as far as an address tells.

A page of any site can send requests to a server on its visitor's machine. If its site's name leads
to that machine's address (DNS rebinding), the browser even lets it read the answers. Such a request
has the site's name as its `Host`. An address or a name without a dot is no site's name.
"""

import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ANY = "*"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_POLICY_VIOLATION = 1008
_IPV6_CLIENT_BITS = 64
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[\w.-]+))(?::\d*)?", re.ASCII)


class OnlyOurHosts:
    """ASGI middleware: refuses requests for other hosts. Beside local names it accepts those in
    `allowed`, of which `*.example.com` means all below it and `*` any. If `origins` is not None, it
    also refuses to change anything for pages of other sites than these and our own."""

    def __init__(
        self, app: App, allowed: Iterable[str], origins: Iterable[str] | None = None
    ) -> None:
        self._app = app
        self._allowed = frozenset(name.lower() for name in allowed)
        self._origins = None if origins is None else frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _answer(refusal, send)
        else:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})

    def _refusal(self, scope: Scope) -> tuple[str, str] | None:
        """Code and message of the error, or None."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host")
        if host is not None and not self._may_name(_name_of(host)):
            return "host_not_allowed", "this server has no such name; see ALLOWED_HOSTS"
        origin = headers.get(b"origin")
        if self._origins is None or origin is None or scope.get("method", "GET") in _SAFE_METHODS:
            return None
        if {origin, ANY} & self._origins or urlsplit(origin).netloc == host:
            return None
        return "origin_not_allowed", "pages of other sites may not do this; see CORS_ORIGINS"

    def _may_name(self, name: str) -> bool:
        return _is_local(name) or any(
            wanted in self._allowed for wanted in (ANY, name, f"*.{name.partition('.')[2]}")
        )


def is_loopback(address: str | None) -> bool:
    """Whether only this machine reaches a server that listens there. None or "" is everywhere."""
    try:
        return address == "localhost" or ipaddress.ip_address(address or "::").is_loopback
    except ValueError:
        return False


def network_of(address: str) -> str:
    """The address, or the network of 64 bits of an IPv6 client, who has all of its addresses. What
    is no address, such as a name that a proxy tells, stays as it is."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((int(known), _IPV6_CLIENT_BITS), strict=False))


def _name_of(host: str) -> str:
    """The name in a `Host` header, without the port. If the header makes no sense, it is a dot,
    which nobody is called."""
    match = _HOST.fullmatch(host)
    return (match["v6"] or match["name"].rstrip(".")).lower() if match else "."


def _is_local(name: str) -> bool:
    """Whether it is an address, or a name that no site on the Internet can have."""
    if "." not in name and ":" not in name:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.endswith(".localhost")
    return True


async def _answer(refusal: tuple[str, str], send: Send) -> None:
    code, message = refusal
    body = json.dumps({"error": code, "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
