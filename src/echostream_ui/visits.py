"""Keeps users signed in: a cookie refers to a library in this process's memory.

Streamlit forgets who the user is whenever a page is reloaded. Scripts cannot read the cookie, and
it holds only a random name. Sessions end with the process.
"""

import secrets
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from echostream_ui.cookies import set_cookie
from echostream_ui.tickets import Tickets

if TYPE_CHECKING:
    from echostream_ui.library.supabase.store import SupabaseStore

COOKIE = "echostream_visit"
_LASTS_S = 30 * 24 * 3600


class Visits:
    """The cookies and their libraries. May be used from any thread."""

    def __init__(self) -> None:
        self.tickets: Tickets[SupabaseStore] = Tickets()
        self._known: dict[str, tuple[float, SupabaseStore]] = {}
        self._lock = threading.Lock()

    def find(self, cookie: str | None) -> "SupabaseStore | None":
        """Returns the library of the user who was given the cookie."""
        with self._lock:
            until, store = self._known.get(cookie or "", (0.0, None))
        return store if time.time() < until else None

    def end(self, store: "SupabaseStore") -> None:
        """Forgets a library in every browser where it is open."""
        with self._lock:
            self._known = {name: one for name, one in self._known.items() if one[1] is not store}

    async def remember(self, request: Request) -> Response:
        """Exchanges the browser's ticket for its cookie."""
        store = self.tickets.redeem(request.query_params.get("ticket", ""))
        if store is None:
            return Response(status_code=HTTPStatus.FORBIDDEN)
        name = secrets.token_urlsafe()
        now = time.time()
        with self._lock:
            self._known = {name: one for name, one in self._known.items() if one[0] > now}
            self._known[name] = now + _LASTS_S, store
        response = Response(status_code=HTTPStatus.NO_CONTENT)
        set_cookie(response, request, COOKIE, name, lasts_s=_LASTS_S, samesite="lax")
        return response
