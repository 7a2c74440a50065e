"""The places that the user marked, while they recorded or afterwards, each with a note."""

import math
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from echostream_ui.components.player import component
from echostream_ui.library.analysis import Analysis, Bookmark
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.values import Json
from echostream_ui.recording.saving import save
from echostream_ui.recording.told import told
from echostream_ui.words.wording import clock

_LONGEST_NOTE = 1000


@st.fragment
@told
def show(store: Store, media_id: str) -> None:
    """Shows the bookmarks as links that play from there; the player adds others. Reads them itself,
    so that a note does not rerun the whole page. Without one nothing is seen of it, but the page
    has the same elements: if one went, Streamlit would draw all below it anew."""
    analysis = store.analysis(media_id)
    if analysis is None:
        return
    key = f"bookmarks-{media_id}"

    def edited() -> None:
        change: Json | None = st.session_state[key].edit
        if not change:
            return

        def edit(latest: Analysis) -> Json:
            with_it = added if change.get("isNew") else changed
            return {"bookmarks": with_it(latest.bookmarks, change["at"], change["note"])}

        save(store, media_id, f"{key}-reply", change, edit)

    data = {
        "recording": media_id,
        "bookmarks": [
            {"at": each.at_s, "clock": clock(each.at_s), "note": each.note}
            for each in analysis.bookmarks
        ],
        "reply": st.session_state.get(f"{key}-reply"),
    }
    component("bookmarks", "elements", "requests")(key=key, data=data, on_edit_change=edited)


def added(bookmarks: Sequence[Bookmark], at_s: float, note: str) -> tuple[Bookmark, ...]:
    """Returns the bookmarks with another one, in order of time. A place that is marked stays as it
    is. Raises StoreError for a time that is none."""
    if not math.isfinite(at_s) or at_s < 0:
        raise StoreError("There is no such time in the recording.")
    if any(each.at_s == at_s for each in bookmarks):
        return tuple(bookmarks)
    return tuple(sorted((*bookmarks, Bookmark(at_s, _tidy(note))), key=lambda each: each.at_s))


def changed(bookmarks: Sequence[Bookmark], at_s: float, note: str | None) -> tuple[Bookmark, ...]:
    """Returns the bookmarks with another note at this time; None removes that bookmark."""
    if note is None:
        return tuple(each for each in bookmarks if each.at_s != at_s)
    whole = _tidy(note)
    return tuple(replace(each, note=whole) if each.at_s == at_s else each for each in bookmarks)


def _tidy(note: str) -> str:
    return " ".join(note.split())[:_LONGEST_NOTE]
