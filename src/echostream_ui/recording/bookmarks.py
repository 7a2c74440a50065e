"""The places that the user marked while they recorded, each with a note."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from echostream_ui.components.player import component
from echostream_ui.library.analysis import Analysis, Bookmark
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.values import Json
from echostream_ui.words.problems import words
from echostream_ui.words.wording import clock, sentences

_PROBLEM = "bookmark-problem"


def show(store: Store, analysis: Analysis) -> None:
    """Shows the bookmarks as links that play from there, or nothing if there are none.

    The page has the same elements in both cases: if one went, Streamlit would draw all below it
    anew.
    """
    with st.container():
        _show(store, analysis)


def _show(store: Store, analysis: Analysis) -> None:
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(sentences(problem))
    if not analysis.bookmarks:
        return
    key = f"bookmarks-{analysis.media_id}"

    def edited() -> None:
        if change := st.session_state[key].edit:
            _edit(store, analysis.media_id, change)

    data = {
        "recording": analysis.media_id,
        "bookmarks": [
            {"at": each.at_s, "clock": clock(each.at_s), "note": each.note}
            for each in analysis.bookmarks
        ],
    }
    component("bookmarks")(key=key, data=data, on_edit_change=edited)


def _edit(store: Store, media_id: str, change: Json) -> None:
    """Saves a note. If that fails, the next run says so."""
    try:
        if latest := store.analysis(media_id):
            bookmarks = changed(latest.bookmarks, change["at"], change["note"])
            store.update_analysis(media_id, bookmarks=bookmarks)
    except StoreError as error:
        st.session_state[_PROBLEM] = words(error)


def changed(bookmarks: Sequence[Bookmark], at_s: float, note: str | None) -> tuple[Bookmark, ...]:
    """Returns the bookmarks with another note at this time; None removes that bookmark."""
    if note is None:
        return tuple(each for each in bookmarks if each.at_s != at_s)
    whole = " ".join(note.split())
    return tuple(replace(each, note=whole) if each.at_s == at_s else each for each in bookmarks)
