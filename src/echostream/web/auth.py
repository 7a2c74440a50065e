"""Checks the bearer token."""

import secrets

from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from echostream.errors import Unauthorized
from echostream.settings import Settings
from echostream.web.deps import Services, ServicesDep

PROBES = {"/health", "/ready", "/metrics"}
"""Asked by monitoring every few seconds."""

HOLDER = "holder"
"""The client that has the token."""


async def require_token(request: Request, services: ServicesDep) -> None:
    """FastAPI dependency; see `admit`."""
    admit(services, request, request.headers.get("authorization", ""))


def admit(services: Services, connection: HTTPConnection, authorization: str) -> None:
    """Raises Unauthorized if a token is set and `authorization`, the value of such a header, lacks
    it, and RateLimited if the client asks too often."""
    is_known = is_authorized(services.settings, authorization)
    if connection.url.path not in PROBES:
        services.rates.count(_client(services.settings, connection, is_known=is_known))
    if not is_known:
        raise Unauthorized("a valid bearer token is required")


def _client(settings: Settings, connection: HTTPConnection, *, is_known: bool) -> str:
    """Whose requests are counted together. Nobody else can use up those of the token."""
    if is_known and settings.api_bearer_token is not None:
        return HOLDER
    return connection.client.host if connection.client else ""


def is_authorized(settings: Settings, authorization: str) -> bool:
    """Whether the value of an `Authorization` header is correct; compares in constant time."""
    if settings.api_bearer_token is None:
        return True
    scheme, _, token = authorization.partition(" ")
    expected = settings.api_bearer_token.get_secret_value()
    matches = secrets.compare_digest(token.strip().encode(), expected.encode())
    return scheme.lower() == "bearer" and matches


def is_allowed_origin(settings: Settings, headers: Headers) -> bool:
    """Whether the page that opens a WebSocket is of this server or of one in CORS_ORIGINS. Browsers
    do not check that themselves, and programs send no origin."""
    origin = headers.get("origin")
    if origin is None or not {"*", origin}.isdisjoint(settings.cors_origins):
        return True
    hosts = (headers.get("host"), headers.get("x-forwarded-host", "").split(",")[0].strip())
    return (origin.partition("://")[2] or None) in hosts
