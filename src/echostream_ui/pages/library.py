"""The library: find recordings, open one, or do something with several."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from echostream_ui.components.going import link
from echostream_ui.components.recordings import recordings
from echostream_ui.finding import filters, folder_choice, saved
from echostream_ui.finding.rows import chosen_in, list_key, row_of
from echostream_ui.library.folders import Folder
from echostream_ui.library.search import Match, Query, Row
from echostream_ui.library.store import Store
from echostream_ui.pages import about, bulk, sample
from echostream_ui.pages.session import current_store
from echostream_ui.recording import undo
from echostream_ui.words.wording import count

ROWS = 50
_WATCH_S = 3
_UNFOLDED = "library_unfolded"


def main() -> None:
    store = current_store()
    st.title("Library", anchor=False)
    undo.show(store)
    if not store.search(Query(limit=1)).total:
        show_empty_library(store)
        return
    facets, folders = store.facets(), store.folders.all()
    with st.container(horizontal=True, vertical_alignment="bottom", key="library_filters"):
        query = replace(filters.ask(facets, folders), limit=ROWS)
        saved.show(store, folders)
    found = store.search(query)
    actions = st.container(horizontal=True, vertical_alignment="center")
    if not found.total:
        with actions:
            show_actions(store, query, 0)
        show_no_match()
        return
    table = st.container()
    pages = -(-found.total // ROWS)
    if pages > 1:
        place = st.pagination(pages, key="library_page", persist_state="session")
        if place > pages:  # fewer recordings match now
            place = pages
        if place > 1:
            found = store.search(replace(query, offset=(place - 1) * ROWS))
    key = list_key("library_list", found.rows)
    with actions:
        if chosen := chosen_in(key, found.rows):
            bulk.show(store, chosen, facets.tags)
        else:
            show_actions(store, query, found.total)
    with table:
        show_table(store, found.rows, query, folders, key=key)
    watch(store, [media.id for media in store.unfinished()])


def show_empty_library(store: Store) -> None:
    with st.container(border=True):
        st.header("Nothing here yet", anchor=False)
        st.write("Recordings you add appear here, with their transcript and insights.")
        with st.container(horizontal=True, vertical_alignment="center"):
            link(
                "add.py",
                "Add recordings",
                key="add",
                icon=":material/add_circle:",
                kind="primary",
            )
            link("live.py", "Record live", key="live", icon=":material/mic:")
            sample.offer(store)
            if store.search(Query(limit=1, in_bin=True)).total:
                show_bin()


def show_no_match() -> None:
    with st.container(border=True):
        st.write("No recording matches the search and the filters.")
        st.button("Show all", on_click=filters.clear)


def show_actions(store: Store, query: Query, total: int) -> None:
    if total:
        st.caption(f"{count(total, 'recording')}.", width="content")
        if filters.are_set():
            st.button("Clear filters", icon=":material/filter_list_off:", on_click=filters.clear)
        if st.button("Ask about these", icon=":material/question_answer:"):
            about.ask(about.matching(store, query))
    if st.button("Folders", icon=":material/folder:"):
        folder_choice.manage(store)
    show_bin()


def show_bin() -> None:
    link("bin.py", "Bin", key="bin", icon=":material/delete:")


def show_table(
    store: Store, rows: Sequence[Row], query: Query, folders: Sequence[Folder], *, key: str
) -> None:
    # Inside a folder, its name on every row says nothing.
    names = {each.id: each.name for each in folders} if query.folder is None else {}
    timezone = st.context.timezone
    recordings(
        [
            row_of(row, timezone, folders=names, matches=all_matches(store, row, query.text))
            for row in rows
        ],
        key=key,
        on_more=lambda media_id: unfold(media_id, query.text),
    )


def all_matches(store: Store, row: Row, text: str) -> Sequence[Match]:
    """Returns the matches to show of a row: a few, or all of them if its user asked for that."""
    is_unfolded = (row.media.id, text) in st.session_state.get(_UNFOLDED, ())
    return store.matches(row.media.id, text) if is_unfolded and row.matches else row.matches


def unfold(media_id: str, text: str) -> None:
    """Shows all matches of a row from now on, or a few again."""
    st.session_state[_UNFOLDED] = st.session_state.get(_UNFOLDED, set()) ^ {(media_id, text)}


@st.fragment(run_every=_WATCH_S)
def watch(store: Store, seen: list[str]) -> None:
    """Reruns the page when the set of unfinished recordings changes."""
    if seen and [media.id for media in store.unfinished()] != seen:
        st.rerun()


main()
