"""The address that a client is known by. uvicorn puts the one that a trusted proxy tells into the
scope of each request."""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_IPV6_CLIENT_BITS = 64
"""Whoever has one address of IPv6 has all that begin like it."""


def address_of(scope: Mapping[str, Any]) -> str:
    """Whose connection it is. Empty for a process of this host, on a Unix socket."""
    client = scope.get("client")
    return _plain(client[0]) if client else ""


@lru_cache(maxsize=10_000)
def _plain(host: str) -> str:
    """The address, or the network of one client if it is IPv6."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # what a proxy tells may be a name
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), _IPV6_CLIENT_BITS), strict=False))
