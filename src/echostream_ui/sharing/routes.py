"""The routes for links to shared recordings.

Links are answered by the process that has the library, beside Streamlit's own routes, but with
nothing of Streamlit: see ADR 38.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from echostream_ui.library.playable import media_type_of, served
from echostream_ui.library.sqlite.shares import Share
from echostream_ui.services import Services, services
from echostream_ui.sharing.guesses import Guesses
from echostream_ui.sharing.page import CONTENT_SECURITY_POLICY, Sound, missing, page

PATH = "/share"

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",  # an ended link must not work on from a cache
}


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a link leads to. `sound` is None unless it is shared and browsers can play it."""

    share: Share
    media: Media
    analysis: Analysis
    sound: Path | None


class SharedRecordings:
    """Answers requests for links. A link that never was, has ended or has expired, and one whose
    recording is gone or in the bin, get the same answer."""

    def __init__(self) -> None:
        self._guesses = Guesses()

    def mount(self, base: str) -> Mount:
        """The routes. None of what is below their path gets to Streamlit."""
        rest = Route("/{rest:path}", self._nothing)
        routes = [Route("/{secret}", self._page), Route("/{secret}/audio", self._audio), rest]
        mount = Mount(f"{base}{PATH}", routes=routes)
        for each in (mount, rest):  # Starlette's patterns end at a line break in a path
            each.path_regex = re.compile(each.path_regex.pattern, re.DOTALL)
        return mount

    async def _page(self, request: Request) -> Response:
        found = await self._found(request)
        if isinstance(found, Response):
            return found
        html = await run_in_threadpool(_html, found, request.path_params["secret"])
        return HTMLResponse(html.encode(errors="replace"), headers=_HEADERS)

    async def _audio(self, request: Request) -> Response:
        """Serves ranges too, so that players can seek."""
        found = await self._found(request)
        if isinstance(found, Response):
            return found
        if found.sound is None:
            return _missing()
        return FileResponse(found.sound, media_type=media_type_of(found.sound), headers=_HEADERS)

    async def _nothing(self, request: Request) -> Response:
        return _missing()

    async def _found(self, request: Request) -> _Shared | Response:
        address = request.client.host if request.client else ""
        if wait_s := self._guesses.wait_s(address):
            headers = {**_HEADERS, "Retry-After": str(int(wait_s) + 1)}
            return PlainTextResponse("Too many wrong links. Try again later.", 429, headers)
        secret = str(request.path_params["secret"])
        found = await run_in_threadpool(_look_up, services(), secret)
        if found is None:
            self._guesses.count(address)
            return _missing()
        return found


def _look_up(shared: Services, secret: str) -> _Shared | None:
    library = shared.library
    if library is None or shared.settings.public_url is None:
        return None
    share = library.shares.find(secret)
    if share is None:
        return None
    media, analysis = library.media(share.media_id), library.analysis(share.media_id)
    if media is None or media.deleted_at is not None:
        return None
    if analysis is None or analysis.response is None:
        return None
    kept = library.audio(media.id) if share.has_sound else None
    sound = served(kept) if kept else None
    is_playable = sound is not None and media_type_of(sound) is not None
    return _Shared(share, media, analysis, sound if is_playable else None)


def _html(found: _Shared, secret: str) -> str:
    sound = None
    if found.sound:
        is_video = (media_type_of(found.sound) or "").startswith("video/")
        sound = Sound(f"{secret}/audio", is_video)
    return page(found.media, found.analysis, sound, found.share.expires_at)


def _missing() -> Response:
    return HTMLResponse(missing(), 404, headers=_HEADERS)
