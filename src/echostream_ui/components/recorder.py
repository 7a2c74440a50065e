"""The recorder on the *Live* page."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


_recorder = st.components.v2.component(
    "echostream_recorder",
    html=_text("recorder.html"),
    css=_text("recorder.css"),
    js="\n".join(map(_text, ("link.js", "microphone.js", "recorder.js"))),
)


def recorder(key: str, ticket: str | None, on_start: Callable[[], None]) -> tuple[bool, str | None]:
    """Shows a button, the time and level, and the text as it grows. `on_start` is called when the
    microphone is on. The recorder needs `ticket`, passed in from then on, to reach the server.

    Returns whether a recording has just ended, and its id if it has one.
    """
    found = _recorder(
        key=key,
        data={"ticket": ticket},
        on_start_change=on_start,
        on_ended_change=lambda: None,
    )
    ended = found.ended
    return ended is not None, ended["id"] if ended else None
