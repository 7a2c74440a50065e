"""Errors as sentences that say what to do."""

from echostream.errors import EchoStreamError
from echostream.hosts import is_loopback
from echostream_ui.api_client import ApiError
from echostream_ui.library.store import StoreError
from echostream_ui.settings import FrontendSettings

_OPEN = (
    "Whoever reaches this frontend over the network sees its library."
    " Set `FRONTEND_PASSWORD`, and it asks for a password."
)


def open_to_all(settings: FrontendSettings, address: str | None) -> str | None:
    """Returns a warning if a frontend that listens at `address` asks nobody who they are, though
    others than this machine reach it. None or "" is every address."""
    return None if settings.asks_who or is_loopback(address) else _OPEN


def words(error: BaseException) -> str:
    """Returns the text to show for any error that reaches a page."""
    if isinstance(error, ApiError):
        return error.words
    if isinstance(error, StoreError):
        return f"{error} {error.advice}".strip()
    if isinstance(error, EchoStreamError):
        return str(error)
    return "Something went wrong that should not have. Try again, or look at the frontend's log."
