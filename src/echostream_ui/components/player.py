"""The player with its transcript, and the buttons elsewhere on the page that make it seek."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from echostream_ui.library.timed_words import TimedWord
from echostream_ui.library.transcript import Line
from echostream_ui.library.values import Json
from echostream_ui.words.wording import clock

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "elements",
    "clipboard",
    "lines",
    "memory",
    "controls",
    "find",
    "replace",
    "typing",
    "editor",
    "naming",
    "requests",
    "edit",
)
_MOST_PLACES = 4
_LONGEST_WORDS = 160


@cache
def component(name: str, *scripts: str, styles: tuple[str, ...] = ()) -> "ComponentRenderer":
    """A component made from the files with its name. `scripts` come before its own script, and its
    CSS may be in other files, `styles`."""

    def text(file: str) -> str | None:
        path = _FOLDER / file
        return path.read_text(encoding="utf-8") if path.exists() else None

    js = "\n".join(
        (_FOLDER / f"{each}.js").read_text(encoding="utf-8") for each in (*scripts, name)
    )
    css = "\n".join(text(f"{each}.css") or "" for each in styles or (name,)) or None
    return st.components.v2.component(
        f"echostream_{name}", html=text(f"{name}.html"), css=css, js=js
    )


@dataclass(frozen=True, slots=True)
class Sound:
    """`url` may be relative to the page's; None if there is no sound, and `notice` then says why.
    `unplayable` is shown if the browser cannot play it."""

    url: str | None
    notice: str | None
    unplayable: str
    is_video: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Where to go at first: to a line, by its id, or to a time. `query` is looked for then."""

    line: int | None = None
    at_s: float | None = None
    query: str = ""


def player(
    recording: str,
    lines: Sequence[Line],
    words: Mapping[int, Sequence[TimedWord]],
    *,
    key: str,
    sound: Sound,
    start: Start,
    reply: Json | None,
    on_edit: Callable[[Json], None],
) -> None:
    """Shows player and transcript of a recording, by its id. `words` are those of the lines.

    `on_edit` is called with a change and its `nonce`: `texts` of lines, an `id` and a `text` (None:
    the original) each; or a `speaker`, the `name` for the one of `line` `everywhere` or there
    alone; or `undo`. The next run gives the outcome in `reply`: that nonce, and either `error`, a
    sentence, or as `undo` the change that takes this one back.
    """

    def edited() -> None:
        change = st.session_state[key].edit
        if change:
            on_edit(change)

    component("player", *_SCRIPTS, styles=("player", "transcript"))(
        key=key,
        data={
            "recording": recording,
            "audio": sound.url,
            "isVideo": sound.is_video,
            "notice": sound.notice,
            "unplayable": sound.unplayable,
            "reply": reply,
            "start": start.line,
            "at": start.at_s,
            "query": start.query,
            "lines": _rows(lines, words),
        },
        on_edit_change=edited,
    )


def _rows(lines: Sequence[Line], words: Mapping[int, Sequence[TimedWord]]) -> list[list[Any]]:
    """Lists, to be short: there may be thousands. The original is given only if it differs. The
    speaker is followed by its number, which gives the colour; a word is its first character, the
    one after its last, milliseconds, and per cent."""
    voices = voices_of(lines)

    def word(text: str, each: TimedWord) -> list[int]:
        ends = (_units(text, each.begin), _units(text, each.end))
        return [*ends, round(each.start_s * 1000), round(each.probability * 100)]

    return [
        [
            line.id,
            round(line.start_s, 3),
            round(line.end_s, 3),
            line.text,
            line.original if line.is_edited else None,
            line.speaker,
            voices.get(line.speaker or ""),
            [word(line.text, each) for each in words.get(line.id, ())],
        ]
        for line in lines
    ]


def _units(text: str, place: int) -> int:
    """The same place as JavaScript counts it, for which an emoji is two characters."""
    return place + sum(sign > "\uffff" for sign in text[:place])


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
        "points": [{"text": text, "places": places(ids, lines)} for text, ids in found],
    }
    component("evidence", "place")(key=key, data=data)


def places(evidence: Sequence[int], lines: Mapping[int, Line]) -> list[Json]:
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
