"""The routes by which a browser gets its user's whole library as a file, and gives one back.

Both go through in pieces: Streamlit's own downloads and uploads are held in memory.
"""

import logging
import shutil
import tempfile
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from echostream.private_files import make_private_folder
from echostream_ui.library.archive.form import ArchiveError
from echostream_ui.library.archive.reading import read_into
from echostream_ui.library.archive.writing import written
from echostream_ui.library.store import Store, StoreError
from echostream_ui.services import ARCHIVE, services
from echostream_ui.visits import COOKIE
from echostream_ui.words.archives import told
from echostream_ui.words.problems import words

log = logging.getLogger(__name__)

_TOO_OLD = "This page is too old. Reload it, and try again."
_NO_ROOM = "There is not enough room on the server's disk for the archive."


async def export(request: Request) -> Response:
    """Sends the library of whoever asks. If that fails on the way, the connection breaks, so that
    nobody takes what came for the whole."""
    shared = services()
    store: Store | None = shared.library or shared.visits.find(request.cookies.get(COOKIE))
    if store is None or not shared.may_have(ARCHIVE, request.query_params.get("key", "")):
        return Response("Sign in, and try again.", HTTPStatus.FORBIDDEN)
    name = f"echostream-library-{datetime.now(UTC):%Y-%m-%d}.zip"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
    }
    if request.method == "HEAD":
        return Response(media_type="application/zip", headers=headers)
    return StreamingResponse(written(store), media_type="application/zip", headers=headers)


async def take_back(request: Request) -> Response:
    """Reads an archive into the library for which the page has given a ticket. Answers with
    `messages`, and a `ticket` for the next one."""
    tickets = services().import_tickets
    store = tickets.redeem(request.query_params.get("ticket", ""))
    if store is None:
        messages, status = [_TOO_OLD], HTTPStatus.FORBIDDEN
        return JSONResponse({"messages": messages, "ticket": None}, status)
    messages, status = await _taken(request, store)
    return JSONResponse({"messages": messages, "ticket": tickets.issue(store)}, status)


async def _taken(request: Request, store: Store) -> tuple[list[str], HTTPStatus]:
    """Returns what to say, and the status of the answer."""
    folder = services().settings.staging_path
    make_private_folder(folder)
    if int(request.headers.get("content-length", 0)) > shutil.disk_usage(folder).free:
        return [_NO_ROOM], HTTPStatus.INSUFFICIENT_STORAGE
    try:
        with tempfile.TemporaryFile(dir=folder) as archive:
            async for piece in request.stream():
                await run_in_threadpool(archive.write, piece)
            imported = await run_in_threadpool(read_into, store, archive, folder)
    except ClientDisconnect:
        return ["The upload was interrupted."], HTTPStatus.BAD_REQUEST
    except ArchiveError as error:
        return [str(error)], HTTPStatus.UNPROCESSABLE_ENTITY
    except StoreError as error:
        return [words(error)], HTTPStatus.SERVICE_UNAVAILABLE
    except OSError:
        log.exception("an archive cannot be kept")
        return [_NO_ROOM], HTTPStatus.INSUFFICIENT_STORAGE
    return list(told(imported)), HTTPStatus.OK
