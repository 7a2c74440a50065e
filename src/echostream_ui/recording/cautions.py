"""The API's warnings about a transcript: places where a person should listen."""

from collections.abc import Sequence

import streamlit as st

from echostream.domain import SPEECH_WITHOUT_TEXT
from echostream_ui.components.player import points
from echostream_ui.library.transcript import Line
from echostream_ui.library.values import Json
from echostream_ui.words.wording import clock, count


def show(response: Json, lines: Sequence[Line], *, key: str) -> None:
    """Shows the warnings, or nothing if there are none."""
    warnings: list[Json] = response.get("warnings") or []
    if not warnings:
        return
    label = f"{count(len(warnings), 'place')} to check"
    with st.expander(label, icon=":material/hearing:"):
        found = [(_words(each), _nearest(lines, each.get("start"))) for each in warnings]
        points(label, found, {line.id: line for line in lines}, key=key)


def _words(warning: Json) -> str:
    start_s, end_s = warning.get("start"), warning.get("end")
    if warning["code"] != SPEECH_WITHOUT_TEXT or start_s is None or end_s is None:
        return str(warning["message"])
    at = f"{clock(start_s)} to {clock(end_s)}"
    return f"{at}: somebody seems to speak, but no words could be made out. Listen from"


def _nearest(lines: Sequence[Line], start_s: float | None) -> tuple[int, ...]:
    """Returns the line to listen from: the last one that begins before, or else the first."""
    if start_s is None or not lines:
        return ()
    before = [line for line in lines if line.start_s <= start_s]
    line = before[-1] if before else lines[0]
    return (line.id,)
