"""The library's list of recordings."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from echostream_ui.components.player import component
from echostream_ui.library.search import SHOWN_MATCHES
from echostream_ui.library.values import Json


@dataclass(frozen=True, slots=True)
class ShownMatch:
    """A line that was found. `parts` are those of its text, each with whether it is what was
    searched for. The recording is opened at the time `at`, in seconds, with `query` looked for."""

    clock: str
    at: str
    parts: tuple[tuple[str, bool], ...]
    query: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as it is shown. `source` is the source's name if it is not the title. `matches` are
    some of `all_matches`, or all; the title opens the recording at `query`."""

    id: str
    title: str
    source: str | None
    folder: str | None
    date: str
    length: str
    language: str
    topics: tuple[str, ...]
    sentiment: str
    tags: tuple[str, ...]
    state: str
    is_done: bool
    matches: tuple[ShownMatch, ...] = ()
    all_matches: int = 0
    query: str = ""

    def as_json(self) -> Json:
        row = asdict(self)
        return row | {"isDone": row.pop("is_done"), "allMatches": row.pop("all_matches")}


def recordings(rows: Sequence[Shown], *, key: str, on_more: Callable[[str], None]) -> None:
    """Shows the rows, with links and a box to select each. `on_more` is called with the id of a row
    that is to show all of its matches, or some again."""

    def more() -> None:
        if wanted := st.session_state[key].more:
            on_more(wanted)

    component("recordings", "pages")(
        key=key,
        data={"rows": [row.as_json() for row in rows], "some": SHOWN_MATCHES},
        default={"selected": []},
        on_selected_change=lambda: None,
        on_more_change=more,
    )


def selected_in(key: str) -> list[str]:
    """Returns the ids of the rows that are selected in the list with this key, which need not have
    been shown yet in this run."""
    state = st.session_state.get(key)
    return list(state.selected or ()) if state else []
