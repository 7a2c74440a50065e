"""Lets the rest of a page be shown if the library fails in one part."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st

from echostream_ui.library.store import StoreError
from echostream_ui.words.problems import words
from echostream_ui.words.wording import sentences

P = ParamSpec("P")


def told(part: Callable[P, None]) -> Callable[P, None]:
    """Decorator for a part of a page: shows a StoreError as a message instead of raising it."""

    @wraps(part)
    def shown(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            part(*args, **kwargs)
        except StoreError as error:
            st.error(sentences(words(error)), icon=":material/error:")

    return shown
