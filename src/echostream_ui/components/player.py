"""The player with its transcript, and what elsewhere on the page makes it go to a place."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from echostream_ui.library.store import Json
from echostream_ui.library.transcript import Line
from echostream_ui.words.wording import clock

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_FOLDER = Path(__file__).parent
_MOST_PLACES = 4
_LONGEST_WORDS = 160


@cache
def _component(name: str, *scripts: str) -> "ComponentRenderer":
    """A component whose files are named like it; `scripts` come before its own."""

    def text(file: str) -> str | None:
        path = _FOLDER / file
        return path.read_text(encoding="utf-8") if path.exists() else None

    js = "\n".join(
        (_FOLDER / f"{each}.js").read_text(encoding="utf-8") for each in (*scripts, name)
    )
    return st.components.v2.component(
        f"echostream_{name}", html=text(f"{name}.html"), css=text(f"{name}.css"), js=js
    )


def player(
    lines: Sequence[Line],
    *,
    key: str,
    audio: str | None,
    notice: str | None,
    unplayable: str,
    reply: Json | None,
    on_edit: Callable[[Json], None],
) -> None:
    """Audio and transcript. `audio` is a URL, or a path beside the page's. `notice` is shown above
    the transcript, `unplayable` when the browser cannot play the audio.

    `on_edit` is called with a line's `id`, its new `text` (None: the original), and a `nonce`; what
    came of it is told by the next run's `reply`, with that nonce and an `error` in words or None.
    """

    def edited() -> None:
        change = st.session_state[key].edit
        if change:
            on_edit(change)

    _component("player", "lines", "find", "edit")(
        key=key,
        data={
            "audio": audio,
            "notice": notice,
            "unplayable": unplayable,
            "reply": reply,
            "lines": [_row(line) for line in lines],
        },
        on_edit_change=edited,
    )


def _row(line: Line) -> list[Any]:
    """A list, since there may be thousands; the original only where it differs."""
    original = line.original if line.is_edited else None
    return [line.id, round(line.start_s, 3), line.text, original, line.speaker]


def points(
    label: str, found: Iterable[tuple[str, Sequence[int]]], lines: Mapping[int, Line], *, key: str
) -> None:
    """Statements with their evidence: ids of `lines`, as buttons that play from there. A statement
    without a text is its buttons alone."""
    data = {
        "label": label,
        "points": [{"text": text, "places": _places(ids, lines)} for text, ids in found],
    }
    _component("evidence")(key=key, data=data)


def _places(evidence: Sequence[int], lines: Mapping[int, Line]) -> list[Json]:
    """Neighbouring lines are one place."""
    known = sorted(number for number in set(evidence) if number in lines)
    starts = [number for number in known if number - 1 not in known]
    return [
        {
            "line": number,
            "clock": clock(lines[number].start_s),
            "words": lines[number].text[:_LONGEST_WORDS],
        }
        for number in starts[:_MOST_PLACES]
    ]


def goto(line: int, nonce: int, *, key: str) -> None:
    """Make the player go to a line, once for each nonce."""
    _component("goto")(key=key, data={"line": line, "nonce": nonce})
