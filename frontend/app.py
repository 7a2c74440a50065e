"""Entry point: `streamlit run frontend/app.py`. The pages, and what a browser needs beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from streamlit import get_option
from streamlit.starlette import App

from frontend.live_session import Target
from frontend.live_sessions import LiveSessions
from frontend.live_socket import LiveSockets
from frontend.services import services


@asynccontextmanager
async def lifespan(_app: App) -> AsyncIterator[dict[str, Any]]:
    """Work that an earlier run left is gone on with before anybody opens a page."""
    shared = await run_in_threadpool(services)
    token = shared.settings.api_bearer_token
    target = Target(
        shared.settings.api_base_url, token.get_secret_value() if token else None, shared.intake
    )
    sessions = LiveSessions(target)
    yield {"live": LiveSockets(sessions, shared.tickets)}
    await sessions.aclose()
    await run_in_threadpool(shared.close)


async def audio(request: Request) -> Response:
    """A recording from the local library, from the disk and in any range: players seek in it."""
    library = services().library
    media_id = request.path_params["media_id"]
    path = await run_in_threadpool(library.audio, media_id) if library else None
    if path is None:
        return Response("There is no such recording.", 404)
    return FileResponse(path)


async def live(websocket: WebSocket) -> None:
    sockets: LiveSockets = app.state["live"]
    await sockets.serve(websocket)


# Streamlit puts its own routes below this path, and leaves those of others where they are.
_base = f"/{get_option('server.baseUrlPath').strip('/')}".rstrip("/")

app = App(
    Path(__file__).parent / "main.py",
    lifespan=lifespan,
    routes=[
        Route(f"{_base}/audio/{{media_id:uuid}}", audio),
        WebSocketRoute(f"{_base}/live/socket", live),
    ],
)
