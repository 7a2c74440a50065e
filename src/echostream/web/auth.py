"""Checks the bearer token."""

import secrets

from fastapi import Request

from echostream.errors import Unauthorized
from echostream.settings import Settings
from echostream.web.deps import ServicesDep


async def require_token(request: Request, services: ServicesDep) -> None:
    """FastAPI dependency. Raises Unauthorized if a token is set and the request lacks it."""
    if not is_authorized(services.settings, request.headers.get("authorization", "")):
        raise Unauthorized("a valid bearer token is required")


def is_authorized(settings: Settings, authorization: str) -> bool:
    """Whether the value of an `Authorization` header is correct; compares in constant time."""
    if settings.api_bearer_token is None:
        return True
    scheme, _, token = authorization.partition(" ")
    expected = settings.api_bearer_token.get_secret_value()
    matches = secrets.compare_digest(token.strip().encode(), expected.encode())
    return scheme.lower() == "bearer" and matches
