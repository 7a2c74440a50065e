"""One-time tickets, with which a page lets its browser use our own routes beside Streamlit's.

A page knows who is signed in. Our routes do not: all they get is a ticket.
"""

import secrets
import threading
import time
from typing import Generic, TypeVar

T = TypeVar("T")

_VALID_S = 60.0


class Tickets(Generic[T]):
    """Each ticket works once, within `valid_s`. May be used from any thread."""

    def __init__(self, valid_s: float = _VALID_S) -> None:
        self._valid_s = valid_s
        self._issued: dict[str, tuple[float, T]] = {}
        self._lock = threading.Lock()

    def issue(self, what: T) -> str:
        ticket = secrets.token_urlsafe()
        now = time.monotonic()
        with self._lock:
            for old in [old for old, (until, _) in self._issued.items() if until < now]:
                del self._issued[old]
            self._issued[ticket] = now + self._valid_s, what
        return ticket

    def redeem(self, ticket: str) -> T | None:
        """Returns what the ticket was issued for; None if it is unknown, too old or used."""
        with self._lock:
            found = self._issued.pop(ticket, None)
        if found is None or time.monotonic() > found[0]:
            return None
        return found[1]
