"""An answer to a question, with buttons or links for the passages that bear it out."""

import re
from collections.abc import Sequence

from echostream_ui.components.player import component
from echostream_ui.library.values import Json
from echostream_ui.words.wording import clock

_MARK = re.compile(r"\s*\[(\d+)\]")
_LONGEST_WORDS = 160
_LONGEST_TITLE = 40


def answer(text: str, places: Sequence[Json], *, key: str) -> None:
    """Shows the text, whose marks `[1]`, `[2]`, … become `places`."""
    component("answer", "pages", "place", styles=("evidence",))(
        key=key, data={"parts": parts_of(text, places)}
    )


def place(line: int, start_s: float, words: str, *, media: str = "", title: str = "") -> Json:
    """A button that plays from a line of this page's recording. With `media` it is a
    link to that recording there, and shows its title."""
    at = clock(start_s)
    made: Json = {"line": line, "clock": at, "words": words[:_LONGEST_WORDS]}
    if media:
        name = title if len(title) <= _LONGEST_TITLE else f"{title[:_LONGEST_TITLE]}…"
        made |= {"media": media, "label": f"{name}, {at}", "title": f"Open {title} at {at}"}
    return made


def parts_of(text: str, places: Sequence[Json]) -> list[str | Json]:
    """Cuts the text at its marks. A mark without a place is left out."""
    parts: list[str | Json] = []
    for number, piece in enumerate(_MARK.split(text)):
        if number % 2 == 0:
            parts.append(piece)
        elif 1 <= int(piece) <= len(places):
            parts.append(places[int(piece) - 1])
    return [part for part in parts if part]


def without_marks(text: str) -> str:
    return _MARK.sub("", text)
