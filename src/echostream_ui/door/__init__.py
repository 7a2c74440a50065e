"""The door of a frontend without accounts: nothing behind it answers without the password.

It stands before Streamlit and before our own routes, so that none can be forgotten: pages and their
WebSocket, uploads, media, recordings. Only the health check goes past it.
"""

import asyncio
import time
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from echostream.passwords import PasswordHash
from echostream_ui.cookies import set_cookie
from echostream_ui.door.attempts import Attempts
from echostream_ui.door.page import sign_in_page
from echostream_ui.door.visitors import LASTS_S, Visitor, Visitors

COOKIE = "echostream_door"
_LONGEST_FORM_BYTES = 16_384
_FORM_TIMEOUT_S = 10.0
_AT_ONCE = 2
_POLICY_VIOLATION = 1008

_WRONG = "This is not the password."
_WAIT = "There were too many wrong passwords. Try again in {}."


class Door:
    """ASGI middleware that lets through who has a cookie, which it gives for the password."""

    def __init__(
        self,
        app: ASGIApp,
        password: PasswordHash,
        visitors: Visitors,
        base: str,
        shared_path: str,
    ) -> None:
        """`base` is the path below which everything is served, without a slash at its end. What
        lies below `shared_path` has secrets of its own, and is for those without the password."""
        self._app = app
        self._password = password
        self._visitors = visitors
        self._base = base
        self._shared_path = shared_path
        self._attempts = Attempts()
        # Each guess takes memory and a processor: a flood of them must not take all.
        self._guessing = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._is_open(scope):
            await self._app(scope, receive, send)
            return
        visitor = self._visitors.find(HTTPConnection(scope).cookies.get(COOKIE))
        if scope["type"] == "websocket":
            await self._socket(visitor, scope, receive, send)
            return
        answer = await self._answer(Request(scope, receive), visitor)
        await (answer or self._app)(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        path: str = scope["path"]
        is_shared = scope["type"] == "http" and path.startswith(self._shared_path)
        return is_shared or path == f"{self._base}/_stcore/health"

    async def _answer(self, request: Request, visitor: Visitor | None) -> Response | None:
        """The door's own answer, or None for a request that goes on to the app."""
        path, is_post = request.scope["path"], request.method == "POST"
        if path == f"{self._base}/sign-in":
            if is_post:
                return await self._sign_in(request)
            if visitor is not None:  # the page's script asks that too
                is_page = _wants_page(request)
                return RedirectResponse(f"{self._base}/") if is_page else Response(status_code=204)
        if visitor is None:
            return self._closed(request)
        if path == f"{self._base}/sign-out" and is_post:
            self._visitors.sign_out(visitor)
            left = Response(status_code=204)
            left.delete_cookie(COOKIE, path=self._path, httponly=True, samesite="strict")
            return left
        return None

    def _closed(self, request: Request) -> Response:
        if _wants_page(request):
            query = request.url.query
            wanted = request.scope["path"] + (f"?{query}" if query else "")
            return sign_in_page(self._base, wanted)
        return JSONResponse(
            {"error": "unauthorized", "message": "sign in first"}, HTTPStatus.UNAUTHORIZED
        )

    async def _sign_in(self, request: Request) -> Response:
        form = await _form(request)
        if form is None or request.headers.get("sec-fetch-site") == "cross-site":
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        password, wanted = form.get("password", ""), form.get("next", "")
        address = request.client.host if request.client else ""
        if wait_s := self._attempts.left_s(address):
            wait = max(1, round(wait_s))
            refusal = sign_in_page(self._base, wanted, _WAIT.format(f"{wait} s"), status=429)
            refusal.headers["Retry-After"] = str(wait)
            return refusal
        self._attempts.begin(address)
        async with self._guessing:
            is_right = await run_in_threadpool(self._password.matches, password)
        if not is_right:
            return sign_in_page(self._base, wanted, _WRONG)
        self._attempts.succeed(address)
        answer = RedirectResponse(self._inside(wanted), HTTPStatus.SEE_OTHER)
        cookie = self._visitors.admit()
        set_cookie(
            answer, request, COOKIE, cookie, lasts_s=LASTS_S, samesite="strict", path=self._path
        )
        return answer

    async def _socket(
        self, visitor: Visitor | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serves a WebSocket for as long as its visitor is signed in."""
        if visitor is None:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        with self._visitors.watched(visitor) as ended:

            async def send_until_then(message: Message) -> None:
                if ended.is_set():
                    raise OSError("signed out")  # what servers raise when a client is gone
                await send(message)

            serving = asyncio.ensure_future(self._app(scope, receive, send_until_then))
            ending = asyncio.ensure_future(_until(ended, visitor))
            try:
                await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
                if not serving.done():
                    ended.set()
                    with suppress(OSError, RuntimeError):  # the browser has left meanwhile
                        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
                await serving
            finally:
                ending.cancel()
                serving.cancel()

    @property
    def _path(self) -> str:
        return self._base or "/"

    def _inside(self, wanted: str) -> str:
        """The page that was asked for, if it is one of ours; else the first one."""
        is_ours = wanted.startswith(f"{self._base}/") and wanted.isprintable()
        if not is_ours or wanted.startswith("//") or "\\" in wanted:
            return f"{self._base}/"
        return wanted if wanted != f"{self._base}/sign-in" else f"{self._base}/"


def _wants_page(request: Request) -> bool:
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")


async def _until(ended: asyncio.Event, visitor: Visitor) -> None:
    """Waits until the visitor has signed out or their cookie has expired."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, visitor.until_s - time.time())):
            await ended.wait()


async def _form(request: Request) -> dict[str, str] | None:
    """The fields of a short form; None for anything else."""
    body = b""
    try:
        async with asyncio.timeout(_FORM_TIMEOUT_S):
            async for piece in request.stream():
                body += piece
                if len(body) > _LONGEST_FORM_BYTES:
                    return None
    except (TimeoutError, ClientDisconnect):
        return None
    try:
        fields = parse_qs(body.decode(), max_num_fields=10, keep_blank_values=True)
    except ValueError:
        return None
    return {name: values[0] for name, values in fields.items()}
