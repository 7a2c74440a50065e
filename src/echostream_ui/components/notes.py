"""Summary, lists and sections of the insights, each statement to edit, delete and add."""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from echostream_ui.components.player import component, places
from echostream_ui.library.transcript import Line
from echostream_ui.library.values import Json


def notes(
    parts: Sequence[Json],
    topics: Sequence[str],
    *,
    key: str,
    recording: str,
    generation: str,
    reply: Json | None,
    on_edit: Callable[[Json], None],
) -> None:
    """Shows parts of `part_of`, and topics after the first. `generation` is another one for other
    generated insights.

    `on_edit` is called with a change and its `nonce`: all the `points` that a `part` has from now
    on, or None for the generated ones, and the texts that it had `before`. The next run gives the
    outcome in `reply`: that nonce, and `error`, a sentence or None.
    """

    def edited() -> None:
        if change := st.session_state[key].edit:
            on_edit(change)

    data = {
        "parts": list(parts),
        "topics": list(topics),
        "recording": recording,
        "generation": generation,
        "reply": reply,
    }
    component(
        "notes", "elements", "place", "requests", "typing", "statement", styles=("buttons", "notes")
    )(key=key, data=data, on_edit_change=edited)


def part_of(
    part: str,
    heading: str | None,
    points: Sequence[Json],
    lines: Mapping[int, Line],
    *,
    is_written: bool,
    earlier: Sequence[Json] | None,
) -> Json:
    """A part with its statements, whose evidence is ids of `lines`. `is_written` if the user has
    changed it; `earlier` is what they had written before it was generated again."""
    return {
        "part": part,
        "heading": heading,
        "isWritten": is_written,
        "earlier": earlier,
        "points": [
            {
                "text": each["text"],
                "evidence": list(each.get("evidence") or ()),
                "places": places(each.get("evidence") or (), lines),
            }
            for each in points
        ],
    }
