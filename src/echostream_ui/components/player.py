"""The player with its transcript, and the buttons elsewhere on the page that make it seek."""

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
def component(name: str, *scripts: str, style: str | None = None) -> "ComponentRenderer":
    """A component made from the files with its name. `scripts` come before its own script, and its
    CSS may be that of another one, `style`."""

    def text(file: str) -> str | None:
        path = _FOLDER / file
        return path.read_text(encoding="utf-8") if path.exists() else None

    js = "\n".join(
        (_FOLDER / f"{each}.js").read_text(encoding="utf-8") for each in (*scripts, name)
    )
    return st.components.v2.component(
        f"echostream_{name}", html=text(f"{name}.html"), css=text(f"{style or name}.css"), js=js
    )


def player(
    lines: Sequence[Line],
    *,
    key: str,
    audio: str | None,
    notice: str | None,
    unplayable: str,
    reply: Json | None,
    start: int | None,
    on_edit: Callable[[Json], None],
) -> None:
    """Shows audio and transcript. `audio` is a URL, or a path relative to the page's. `notice` is
    shown above the transcript, `unplayable` if the browser cannot play the audio. `start` is the
    line to go to at first, as an id.

    `on_edit` is called with a line's `id`, its new `text` (None: the original), and a `nonce`. The
    next run gives the outcome in `reply`: that nonce, and `error`, a sentence or None.
    """

    def edited() -> None:
        change = st.session_state[key].edit
        if change:
            on_edit(change)

    component("player", "lines", "find", "edit")(
        key=key,
        data={
            "audio": audio,
            "notice": notice,
            "unplayable": unplayable,
            "reply": reply,
            "start": start,
            "lines": _rows(lines),
        },
        on_edit_change=edited,
    )


def _rows(lines: Sequence[Line]) -> list[list[Any]]:
    """Lists, to be short: there may be thousands. The original is given only if it differs. The
    last is the number of the speaker, which gives the colour."""
    voices = voices_of(lines)
    return [
        [
            line.id,
            round(line.start_s, 3),
            line.text,
            line.original if line.is_edited else None,
            line.speaker,
            voices.get(line.speaker or ""),
        ]
        for line in lines
    ]


def voices_of(lines: Iterable[Line]) -> dict[str, int]:
    """Numbers the speakers in order of their first words. A number gives a colour."""
    names = dict.fromkeys(line.speaker for line in lines if line.speaker)
    return {name: place for place, name in enumerate(names)}


def points(
    label: str, found: Iterable[tuple[str, Sequence[int]]], lines: Mapping[int, Line], *, key: str
) -> None:
    """Shows statements with buttons that play their evidence, which is given as ids of `lines`. A
    statement without a text is shown as buttons only."""
    data = {
        "label": label,
        "points": [{"text": text, "places": _places(ids, lines)} for text, ids in found],
    }
    component("evidence", "place")(key=key, data=data)


def _places(evidence: Sequence[int], lines: Mapping[int, Line]) -> list[Json]:
    """The places of the evidence. Neighbouring lines count as one place."""
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
    """Makes the player go to a line, once per nonce."""
    component("goto")(key=key, data={"line": line, "nonce": nonce})
