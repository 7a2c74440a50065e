"""The control that asks for speakers, on the pages where recordings are made or added."""

from typing import Any, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from echostream_ui.library.values import Json

Choice = Literal["off", "find"] | int
_CHOICES: tuple[Choice, ...] = ("off", "find", *range(1, 11))


def ask(place: DeltaGenerator, key: str, *, disabled: bool = False) -> dict[str, Any]:
    """Shows the control in `place`; returns the API's options that it stands for. If nothing is
    chosen, the server decides."""
    chosen: Choice | None = place.selectbox(
        "Speakers",
        _CHOICES,
        index=None,
        format_func=_words,
        placeholder="As the server is set",
        key=key,
        persist_state="session",
        disabled=disabled,
    )
    return asked(chosen)


def asked(chosen: Choice | None) -> dict[str, Any]:
    """The API's options for a choice."""
    if chosen is None:
        return {}
    if isinstance(chosen, int):
        return {"num_speakers": chosen}
    return {"diarize": chosen == "find"}


def put(key: str, request: Json) -> None:
    """Sets the control to what an earlier request asked for. Call it before `ask`."""
    chosen: Choice | None = request.get("numSpeakers")
    if chosen is None and "diarize" in request:
        chosen = "find" if request["diarize"] else "off"
    st.session_state[key] = chosen if chosen in _CHOICES else None


def _words(choice: Choice) -> str:
    if choice == "off":
        return "Do not tell them apart"
    if choice == "find":
        return "Find out how many"
    return "1 speaker" if choice == 1 else f"{choice} speakers"
