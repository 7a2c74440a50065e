"""Errors as sentences that say what to do."""

from echostream.errors import EchoStreamError
from echostream_ui.api_client import ApiError
from echostream_ui.library.store import StoreError


def words(error: BaseException) -> str:
    """Returns the text to show for any error that reaches a page."""
    if isinstance(error, ApiError):
        return error.words
    if isinstance(error, StoreError):
        return f"{error} {error.advice}".strip()
    if isinstance(error, EchoStreamError):
        return str(error)
    return "Something went wrong that should not have. Try again, or look at the frontend's log."
