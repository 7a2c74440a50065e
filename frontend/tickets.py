"""One-time tickets: what a page allows its browser to do beside Streamlit, without any password.

A page knows who is signed in; a WebSocket of ours does not, and is told nothing but a ticket.
"""

import secrets
import threading
import time
from dataclasses import dataclass

from frontend.store import Json, Store

_VALID_S = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A live recording that somebody has asked for: into whose library, under which name, and the
    options of its transcription. `title` is the user's own, None to let the insights give one."""

    store: Store
    name: str
    title: str | None
    request: Json


class Tickets:
    """May be used from any thread. A ticket is good once, and for a minute."""

    def __init__(self, valid_s: float = _VALID_S) -> None:
        self._valid_s = valid_s
        self._issued: dict[str, tuple[float, Wanted]] = {}
        self._lock = threading.Lock()

    def issue(self, wanted: Wanted) -> str:
        ticket = secrets.token_urlsafe()
        now = time.monotonic()
        with self._lock:
            for old in [old for old, (until, _) in self._issued.items() if until < now]:
                del self._issued[old]
            self._issued[ticket] = now + self._valid_s, wanted
        return ticket

    def redeem(self, ticket: str) -> Wanted | None:
        """What it was issued for; None when it never was, is too old or has been used."""
        with self._lock:
            until, wanted = self._issued.pop(ticket, (0.0, None))
        return wanted if time.monotonic() < until else None
