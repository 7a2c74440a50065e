"""Checks the bearer token of a request, and whose job it asks about."""

import re
from typing import Annotated

import structlog
from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from echostream.errors import Unauthorized
from echostream.settings import Settings
from echostream.web.addresses import address_of
from echostream.web.deps import Services, ServicesDep
from echostream.web.job_shapes import JOB_ID, check_owner
from echostream.web.keyring import Caller
from echostream.web.peers import is_from_peer

PROBES = {"/health", "/ready", "/metrics"}
"""Asked by monitoring every few seconds."""


async def require_token(request: Request, services: ServicesDep) -> Caller:
    """FastAPI dependency; see `admit`."""
    caller = admit(services, request, request.headers.get("authorization", ""))
    if caller.name:
        structlog.contextvars.bind_contextvars(caller=caller.name)
        request.state.caller = caller.name  # for the log of the request, which another task writes
    return caller


CallerDep = Annotated[Caller, Depends(require_token)]


async def require_own_job(request: Request, services: ServicesDep, caller: CallerDep) -> None:
    """FastAPI dependency of every endpoint below `/job/{job_id}`. Raises JobNotFound if the job is
    not the caller's, as if there were none."""
    job_id = request.path_params.get("job_id")
    if job_id is not None and re.fullmatch(JOB_ID, job_id):
        await check_owner(services.require_jobs().queue, caller, job_id)


def admit(services: Services, connection: HTTPConnection, authorization: str) -> Caller:
    """Returns the client whose token is in `authorization`, the value of such a header. Raises
    Unauthorized if a token is needed, and RateLimited if the client asks too often."""
    caller = services.keyring.caller_of(authorization)
    # A process beside us has counted the request that it passes on.
    if connection.url.path not in PROBES and not is_from_peer(connection.scope):
        services.rates.count(_client(connection, caller))
    if caller is None:
        raise Unauthorized("a valid bearer token is required")
    if caller.name:
        services.metrics.callers.labels(caller.name).inc()
    return caller


def _client(connection: HTTPConnection, caller: Caller | None) -> str:
    """Whose requests are counted together. Nobody else can use up those of a token."""
    if caller is not None and caller.name:
        return f"token {caller.name}"
    return address_of(connection.scope)


def is_allowed_origin(settings: Settings, headers: Headers) -> bool:
    """Whether the page that opens a WebSocket is of this server or of one in CORS_ORIGINS. Browsers
    do not check that themselves, and programs send no origin."""
    origin = headers.get("origin")
    if origin is None or not {"*", origin}.isdisjoint(settings.cors_origins):
        return True
    hosts = (headers.get("host"), headers.get("x-forwarded-host", "").split(",")[0].strip())
    return (origin.partition("://")[2] or None) in hosts
