"""What went wrong, in words that say what to do."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st

from echostream.errors import EchoStreamError
from frontend.api_client import ApiError
from frontend.store import StoreError

P = ParamSpec("P")


def words(error: BaseException) -> str:
    """For any error that reaches a page."""
    if isinstance(error, ApiError):
        return error.words
    if isinstance(error, StoreError):
        return f"{error} {error.advice}".strip()
    if isinstance(error, EchoStreamError):
        return str(error)
    return "Something went wrong that should not have. Try again, or look at the frontend's log."


def told(part: Callable[P, None]) -> Callable[P, None]:
    """A part of a page that says what is wrong with the library instead of breaking off."""

    @wraps(part)
    def shown(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            part(*args, **kwargs)
        except StoreError as error:
            st.error(words(error), icon=":material/error:")

    return shown
