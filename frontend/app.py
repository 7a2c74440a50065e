"""Entry point: `streamlit run frontend/app.py`. The pages, and what a browser needs beside them."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from streamlit.starlette import App

from frontend.playable import served
from frontend.problems import words
from frontend.services import services

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(_app: App) -> AsyncIterator[dict[str, Any]]:
    """Work that an earlier run left is gone on with before anybody opens a page."""
    shared = await run_in_threadpool(services)
    address, port = st.get_option("server.address"), st.get_option("server.port")
    print(f"Web frontend  http://{address or '0.0.0.0'}:{port}")  # noqa: S104 - says what is
    print(f"API           {shared.settings.api_base_url}", flush=True)
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


async def visit(request: Request) -> Response:
    return await services().visits.remember(request)


def say(error: Exception) -> bool:
    """An error that no page has dealt with, in words; the details are for the log."""
    log.error("a page failed", exc_info=error)
    st.error(words(error), icon=":material/error:")
    return True


app = App(
    Path(__file__).parent / "pages" / "frame.py",
    lifespan=lifespan,
    on_script_error=say,
    routes=[
        Route("/audio/{media_id:uuid}", audio),
        Route("/visit", visit, methods=["POST"]),
    ],
)
