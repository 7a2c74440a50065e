"""Entry point: `streamlit run frontend/app.py`. The pages, and what a browser needs beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from streamlit.runtime.pages_manager import PagesManager
from streamlit.starlette import App

from frontend.playable import served
from frontend.services import services


@asynccontextmanager
async def lifespan(_app: App) -> AsyncIterator[dict[str, Any]]:
    """Work that an earlier run left is gone on with before anybody opens a page."""
    shared = await run_in_threadpool(services)
    yield {}
    await run_in_threadpool(shared.close)


async def audio(request: Request) -> Response:
    """A recording from the local library, from the disk and in any range: players seek in it."""
    library = services().library
    media_id = str(request.path_params["media_id"])
    path = await run_in_threadpool(library.audio, media_id) if library else None
    if path is None:
        return Response("There is no such recording.", 404)
    return FileResponse(served(path))


# Else Streamlit takes the folder `pages` for its older kind of navigation, until `main.py` has run
# once: whoever opens a page by its address first would get it without the frame.
PagesManager.uses_pages_directory = False

app = App(
    Path(__file__).parent / "main.py",
    lifespan=lifespan,
    routes=[Route("/audio/{media_id:uuid}", audio)],
)
