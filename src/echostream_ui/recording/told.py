"""Parts of a page that go on showing the rest of it when the library fails."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st

from echostream_ui.library.store import StoreError
from echostream_ui.words.problems import words

P = ParamSpec("P")


def told(part: Callable[P, None]) -> Callable[P, None]:
    """A part of a page that says what is wrong with the library instead of breaking off."""

    @wraps(part)
    def shown(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            part(*args, **kwargs)
        except StoreError as error:
            st.error(words(error), icon=":material/error:")

    return shown
