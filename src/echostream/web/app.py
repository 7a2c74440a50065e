"""The FastAPI application: one per process, built from the settings."""

import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from echostream import __version__, traces
from echostream.building import local_pipeline
from echostream.errors import EchoStreamError, InvalidRequest, ServerBusy
from echostream.hosts import OnlyOurHosts
from echostream.pipeline import Pipeline
from echostream.safe_headers import SafeHeaders
from echostream.settings import Settings
from echostream.web import insights, jobs, openai, routes
from echostream.web.auth import PROBES
from echostream.web.cutting import CutOff
from echostream.web.deps import services_of
from echostream.web.few_at_a_time import FewAtATime
from echostream.web.forwarding import attach_forwarding
from echostream.web.lifespan import running_services
from echostream.web.openai_shapes import error_body
from echostream.web.patience import SteadyBodies
from echostream.web.peers import Peers
from echostream.web.realtime.route import router as realtime_router
from echostream.web.sockets import SocketPath, socket_server

log = structlog.get_logger(__name__)

_CLIENT_CLOSED_REQUEST = 499
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def create_app(
    settings: Settings,
    make_pipeline: Callable[[Settings], Pipeline] = local_pipeline,
    peers: Peers | None = None,
) -> FastAPI:
    """Returns the API. The pipeline lives as long as the app's lifespan; tests pass one with fakes.
    `peers` are the other processes on the port, if there are any."""

    sockets = socket_server(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pipeline = make_pipeline(settings)
        async with running_services(settings, pipeline, sockets, peers) as app.state.services:
            yield

    app = FastAPI(
        title="EchoStream",
        version=__version__,
        description="Transcribes audio and video locally and generates insights.",
        lifespan=lifespan,
        # Without it there are no pages that show it either.
        openapi_url="/openapi.json" if settings.api_docs else None,
    )
    app.include_router(routes.open_router)
    app.include_router(routes.router)
    app.include_router(insights.router)
    app.include_router(jobs.router)
    app.include_router(openai.router)
    app.include_router(realtime_router)
    _answer_errors(app)
    app.add_middleware(CutOff, refusal=_cut_off)
    app.add_middleware(RequestLog)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
            expose_headers=["X-Request-Id", "Retry-After"],
        )
    app.add_middleware(SocketPath, server=sockets)
    if peers is not None:
        attach_forwarding(app, sockets, peers)
    app.add_middleware(SteadyBodies)
    app.add_middleware(FewAtATime, most=settings.connections_per_address)
    _refuse_other_hosts(app, settings)
    app.add_middleware(SafeHeaders)
    return app


def _cut_off(scope: Scope, busy: ServerBusy) -> Response:
    log.warning("request_cut_off", path=scope["path"])
    return error_response(Request(scope), busy.code, busy.status, str(busy), busy.retry_after_s)


def _refuse_other_hosts(app: FastAPI, settings: Settings) -> None:
    """With a token this is needed less, since a page of another site does not know it."""
    if not settings.needs_token:
        allowed = (*settings.allowed_hosts, settings.host)
        app.add_middleware(OnlyOurHosts, allowed=allowed, origins=settings.cors_origins)
    elif settings.allowed_hosts:
        app.add_middleware(OnlyOurHosts, allowed=(*settings.allowed_hosts, settings.host))


def _answer_errors(app: FastAPI) -> None:
    """Maps each kind of error to its answer, once for the whole API."""

    @app.exception_handler(EchoStreamError)
    async def ours(request: Request, error: EchoStreamError) -> Response:
        if error.status >= 500:
            # Only our own faults need a trace; a busy server does not.
            trace = error if error.status == 500 else None
            log.warning("request_failed", code=error.code, reason=str(error), exc_info=trace)
        return error_response(
            request,
            error.code,
            error.status,
            str(error),
            error.retry_after_s,
            error.param if isinstance(error, InvalidRequest) else None,
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return error_response(request, InvalidRequest.code, InvalidRequest.status, _first(error))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        response = error_response(request, code, error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=_CLIENT_CLOSED_REQUEST)


def error_response(
    request: Request,
    code: str,
    status: int,
    message: str,
    retry_after_s: float | None = None,
    param: str | None = None,
) -> JSONResponse:
    """Returns an error in the shape of the API it belongs to: ours, or OpenAI's under `/v1`, where
    `param` is the field at fault."""
    if request.url.path == "/api/finalize" and code == EchoStreamError.code:
        code = "finalize_failed"
    services_of(request.app).metrics.errors.labels(code).inc()
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(retry_after_s)))
    if request.url.path.startswith("/v1/"):
        return JSONResponse(error_body(code, status, message, param), status, headers)
    body = {"error": code, "message": message, "requestId": request.state.request_id}
    return JSONResponse(body, status, headers)


def _first(error: RequestValidationError) -> str:
    found = error.errors()[0]
    where = ".".join(str(part) for part in found["loc"][1:])
    return f"{where}: {found['msg']}" if where else str(found["msg"])


class RequestLog:
    """ASGI middleware: gives each request an id, logs it once, measures it, and answers unexpected
    errors. Starlette would answer those outside all middleware, without id and CORS headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] in PROBES:
            await self._answer(scope, receive, send)
        else:
            given = {
                name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]
            }
            with traces.span("request", kind=traces.SpanKind.SERVER, continues=given) as step:
                status = await self._answer(scope, receive, send)
                step.update_name(f"{_method(scope)} {_route(scope)}")
                step.set_attributes(
                    {
                        "http.request.method": _method(scope),
                        "http.route": _route(scope),
                        "http.response.status_code": status,
                        "request_id": scope["state"]["request_id"],
                    }
                )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Returns the status of the answer."""
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status = _CLIENT_CLOSED_REQUEST

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            log.error("request_crashed", exc_info=error)
            if status != _CLIENT_CLOSED_REQUEST:
                raise  # the answer has begun: it can only be cut off
            answer = error_response(Request(scope), EchoStreamError.code, 500, openai.UNFORESEEN)
            await answer(scope, receive, send_with_id)
        finally:
            _record(scope, status, time.perf_counter() - started)
            structlog.contextvars.unbind_contextvars("request_id")
        return status


def _route(scope: Scope) -> str:
    """The route's pattern: paths would make any number of labels."""
    return str(getattr(scope.get("route"), "path", "unmatched"))


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def _record(scope: Scope, status: int, took_s: float) -> None:
    metrics = services_of(scope["app"]).metrics
    route, method = _route(scope), _method(scope)
    metrics.requests.labels(method, route, status).inc()
    metrics.latency.labels(route).observe(took_s)
    # Probes come every few seconds, and their answers already say what they found.
    tell = log.debug if route in PROBES else log.info
    tell(
        "request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        took_s=round(took_s, 3),
        **({"caller": name} if (name := scope["state"].get("caller")) else {}),
    )
