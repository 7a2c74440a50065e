"""The WebSocket at `/v1/realtime`: who may open it, and its frames."""

import secrets
from contextlib import closing, suppress

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse

from echostream.engine import LivePlace
from echostream.errors import EchoStreamError, EventRefused, OriginNotAllowed
from echostream.streaming import Items
from echostream.web.auth import admit, is_allowed_origin
from echostream.web.deps import Services, services_of
from echostream.web.keyring import Caller
from echostream.web.openai_shapes import error_body
from echostream.web.realtime.configuration import Configuration
from echostream.web.realtime.connections import Connection
from echostream.web.realtime.conversation import Conversation
from echostream.web.realtime.server_events import ServerEvent
from echostream.web.stopping import unless_stopping

log = structlog.get_logger(__name__)

router = APIRouter()

_SUBPROTOCOL = "realtime"
_KEY = "openai-insecure-api-key."
"""Browsers cannot send headers with a WebSocket, so the token may be in a subprotocol."""


@router.websocket("/v1/realtime")
async def realtime(websocket: WebSocket) -> None:
    """A transcription session, for as long as the connection lasts."""
    services = services_of(websocket.app)
    try:
        caller = _admit(websocket, services)
        configuration = _configuration(websocket)
        place = await unless_stopping(
            services.abort, services.pipeline.engine.live(configuration.options)
        )
    except EchoStreamError as error:
        services.metrics.errors.labels(error.code).inc()
        await _deny(websocket, error)
        return
    with closing(place), suppress(WebSocketDisconnect):
        offered = websocket.scope["subprotocols"]
        await websocket.accept(_SUBPROTOCOL if _SUBPROTOCOL in offered else None)
        await _serve(websocket, services, caller, configuration, place)


async def _serve(
    websocket: WebSocket,
    services: Services,
    caller: Caller,
    configuration: Configuration,
    place: LivePlace,
) -> None:
    session_id = f"sess_{secrets.token_hex(10)}"
    conversation, items = _conversation(websocket, services, configuration, place, session_id)
    connection = Connection(
        caller,
        conversation,
        items,
        lambda: _receive(websocket),
        idle_s=services.settings.live_idle_s,
    )
    name = {"caller": caller.name} if caller.name else {}
    log.info("realtime_session_started", session_id=session_id, **name)
    if not services.keyring.knows(caller):  # it was revoked while the engine made room
        connection.cut()
    ending = await services.realtime.run(connection)
    services.metrics.live_ended(ending.error)
    log.info("realtime_session_ended", session_id=session_id, error=ending.error)
    if ending.close_code is not None:
        await websocket.close(ending.close_code)


def _conversation(
    websocket: WebSocket,
    services: Services,
    configuration: Configuration,
    place: LivePlace,
    session_id: str,
) -> tuple[Conversation, Items]:
    settings, engine = services.settings, services.pipeline.engine
    items = Items(
        place,
        vocabulary=settings.vocabulary,
        max_audio_s=settings.max_audio_seconds,
        observe=services.metrics.observe_item,
    )

    async def send(event: ServerEvent) -> None:
        with suppress(WebSocketDisconnect):  # the reading task notices
            await websocket.send_text(event.model_dump_json())

    conversation = Conversation(
        session_id,
        configuration,
        items,
        send=send,
        check=lambda wanted: engine.state.named(wanted.model).check(wanted, live=True),
        count_error=lambda code: services.metrics.errors.labels(code).inc(),
    )
    return conversation, items


async def _receive(websocket: WebSocket) -> str | bytes | None:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    text: str | None = message.get("text")
    return b"" if text is None else text


def _admit(websocket: WebSocket, services: Services) -> Caller:
    """Raises OriginNotAllowed, Unauthorized or RateLimited."""
    if not is_allowed_origin(services.settings, websocket.headers):
        raise OriginNotAllowed("pages of this origin may not open WebSockets; see CORS_ORIGINS")
    authorization = websocket.headers.get("authorization", "")
    for offered in websocket.scope["subprotocols"]:
        if offered.startswith(_KEY):
            authorization = f"Bearer {offered.removeprefix(_KEY)}"
    return admit(services, websocket, authorization)


def _configuration(websocket: WebSocket) -> Configuration:
    """What the URL says. Raises EventRefused."""
    query = websocket.query_params
    if query.get("intent") != "transcription":
        message = "only transcription sessions are served here; connect with ?intent=transcription"
        raise EventRefused("invalid_value", message, param="intent")
    if (model := query.get("model")) is None:
        return Configuration()
    given = {"type": "transcription", "audio": {"input": {"transcription": {"model": model}}}}
    return Configuration().updated(given)


async def _deny(websocket: WebSocket, error: EchoStreamError) -> None:
    """Answers the handshake with an HTTP error, which the official clients raise or emit."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    param = getattr(error, "param", None)
    body = error_body(error.code, error.status, str(error), param)
    with suppress(WebSocketDisconnect):
        await websocket.send_denial_response(JSONResponse(body, error.status, headers))
