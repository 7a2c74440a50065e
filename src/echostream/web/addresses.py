"""The address that a client is known by. uvicorn puts the one that a trusted proxy tells into the
scope of each request."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from echostream.hosts import network_of

_network_of = lru_cache(maxsize=10_000)(network_of)  # every request asks


def address_of(scope: Mapping[str, Any]) -> str:
    """Whose connection it is. Empty for a process of this host, on a Unix socket."""
    client = scope.get("client")
    return _network_of(client[0]) if client else ""
