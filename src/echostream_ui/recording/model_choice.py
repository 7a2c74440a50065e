"""The control that says which language model generates insights, if there is a choice."""

import streamlit as st

from echostream_ui.services import services
from echostream_ui.words.makers import model_name


def ask(before: str | None, *, key: str) -> str | None:
    """Shows what can generate insights; None means the API's default. `before` is what is chosen
    at first."""
    offered = services().insights_models
    if not offered:  # the API is away, and nobody knows: then it stays as it was set
        return st.session_state.get(key) or before
    if len(offered) == 1:
        return None
    chosen = st.selectbox(
        "Language model",
        offered,
        index=offered.index(before) if before in offered else 0,
        format_func=model_name,
        key=key,
        persist_state="session",
    )
    return None if chosen == offered[0] else chosen


def put(key: str, before: str | None) -> None:
    """Sets the control to what was wanted before. Call it before `ask`, which then is given no
    other `before`."""
    offered = services().insights_models
    unknown = None if offered else before
    st.session_state[key] = before if before in offered else next(iter(offered), unknown)
