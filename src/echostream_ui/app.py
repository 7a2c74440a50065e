"""Entry point: `streamlit run app.py`. The pages, and our other routes for the browser."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from streamlit import get_option
from streamlit.starlette import App

from echostream.passwords import hash_of
from echostream.safe_headers import SafeHeaders
from echostream_ui import backup, shell
from echostream_ui.door import Door
from echostream_ui.door.people import streamlit_secrets
from echostream_ui.door.visitors import Visitors
from echostream_ui.library.playable import media_type_of, served
from echostream_ui.live.session import Target
from echostream_ui.live.sessions import LiveSessions
from echostream_ui.live.socket import LiveSockets
from echostream_ui.services import ARCHIVE, services
from echostream_ui.settings import FrontendSettings
from echostream_ui.sharing.public_name import NamesOfOurs
from echostream_ui.sharing.routes import PATH, SharedRecordings
from echostream_ui.words.problems import open_to_all, words
from echostream_ui.words.wording import sentences

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(_app: App) -> AsyncIterator[dict[str, Any]]:
    """Continues the work that an earlier run left unfinished, before anybody opens a page."""
    shared = await run_in_threadpool(services)
    address, port = get_option("server.address"), get_option("server.port")
    print(f"Web frontend  http://{address or '0.0.0.0'}:{port}")  # noqa: S104 - says what is
    print(f"API           {shared.settings.api_base_url}", flush=True)
    if shared.settings.watch_folder is not None:
        off = "" if shared.settings.watches else ", off: with Supabase its files would be nobody's"
        print(f"Watch folder  {shared.settings.watch_folder}{off}", flush=True)
    if warning := open_to_all(shared.settings, address):
        print(f"Warning       {warning}", flush=True)
    token = shared.settings.api_bearer_token
    target = Target(
        shared.settings.api_base_url, token.get_secret_value() if token else None, shared.intake
    )
    sessions = LiveSessions(target)
    yield {"live": LiveSockets(sessions, shared.live_tickets)}
    await sessions.aclose()
    await run_in_threadpool(shared.close)


async def audio(request: Request) -> Response:
    """Serves a recording of the local library. Supports ranges, so that players can seek."""
    shared, media_id = services(), str(request.path_params["media_id"])
    library = shared.library
    if not shared.may_have(media_id, request.query_params.get("key", "")):
        return Response("Open the recording's page to hear it.", 401)
    path = await run_in_threadpool(library.audio, media_id) if library else None
    if path is None:
        return Response("There is no such recording.", 404)
    played = served(path)
    media_type = media_type_of(played)
    # Without a known type a browser must not show it: it may be a page with scripts.
    return FileResponse(
        played,
        media_type=media_type or "application/octet-stream",
        content_disposition_type="inline" if media_type else "attachment",
        filename=played.name,
        headers={"Content-Security-Policy": "sandbox; default-src 'none'"},
    )


async def visit(request: Request) -> Response:
    return await services().visits.remember(request)


def say(error: Exception) -> bool:
    """Shows an error that no page has handled as a sentence, and logs its details."""
    log.error("a page failed", exc_info=error)
    st.error(sentences(words(error)), icon=":material/error:")
    return True


async def live(websocket: WebSocket) -> None:
    sockets: LiveSockets = app.state["live"]
    await sockets.serve(websocket)


# Streamlit puts its own routes below this path, but does not move ours.
_settings = FrontendSettings()
_base = f"/{get_option('server.baseUrlPath').strip('/')}".rstrip("/")


def _middleware(settings: FrontendSettings) -> list[Middleware]:
    """What every request goes through before Streamlit or a route of ours sees it."""
    shared_path = f"{_base}{PATH}/"
    ours = [
        Middleware(SafeHeaders),
        Middleware(
            NamesOfOurs,
            allowed=settings.hosts,
            public_name=settings.public_name,
            shared_path=shared_path,
        ),
    ]
    if settings.frontend_password is not None:
        password = settings.frontend_password.get_secret_value()
        visitors = Visitors(settings.door_path, password)
        ours.append(Middleware(Door, hash_of(password), visitors, _base, shared_path))
    return ours


app = App(
    Path(__file__).parent / "pages" / "frame.py",
    lifespan=lifespan,
    on_script_error=say,
    middleware=_middleware(_settings),
    secrets=streamlit_secrets(_settings),
    routes=[
        *shell.routes(_base),
        Route(f"{_base}/audio/{{media_id:uuid}}", audio),
        Route(f"{_base}/visit", visit, methods=["POST"]),
        WebSocketRoute(f"{_base}/live/socket", live),
        SharedRecordings().mount(_base),
        Route(f"{_base}/{ARCHIVE}", backup.export, methods=["GET"]),
        Route(f"{_base}/{ARCHIVE}", backup.take_back, methods=["POST"]),
    ],
)
