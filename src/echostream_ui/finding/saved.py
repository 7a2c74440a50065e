"""Saved filters: the present search and its filters under a name."""

from collections.abc import Sequence

import streamlit as st

from echostream_ui.finding import filters
from echostream_ui.library.folders import Folder, SavedFilter
from echostream_ui.library.store import Store
from echostream_ui.recording.told import told

_KEY = "library_saved"
_LONGEST_NAME = 100


def show(store: Store, folders: Sequence[Folder]) -> None:
    with st.popover("Saved", icon=":material/bookmark:"):
        _saved(store, folders)


@told
def _saved(store: Store, folders: Sequence[Folder]) -> None:
    known = {each.name: each for each in store.filters.all()}
    if known:
        _pick(store, known, folders)
    with st.form("save_filter", clear_on_submit=True, border=False):
        name = st.text_input(
            "Save the present search and filters as", max_chars=_LONGEST_NAME, placeholder="Name"
        )
        is_saved = st.form_submit_button("Save")
    if is_saved and (name := " ".join(name.split())):
        store.filters.save(name, filters.present())
        st.rerun()


def _pick(store: Store, known: dict[str, SavedFilter], folders: Sequence[Folder]) -> None:
    if st.session_state.get(_KEY) not in known:  # it has been deleted
        st.session_state.pop(_KEY, None)

    def apply() -> None:
        if name := st.session_state[_KEY]:
            filters.apply(known[name].choice, [each.id for each in folders])

    chosen = st.selectbox(
        "Saved filter",
        list(known),
        index=None,
        key=_KEY,
        persist_state="session",
        placeholder="Choose one",
        on_change=apply,
    )
    if not chosen:
        return
    with st.container(horizontal=True):
        if filters.present() != known[chosen].choice:
            st.button("Apply again", on_click=apply)
        if st.button(
            "Overwrite",
            help="Gives this name to the present search and filters.",
            icon=":material/save:",
        ):
            store.filters.save(chosen, filters.present())
            st.rerun()
        if st.button("Delete", icon=":material/delete:", key="delete_filter"):
            store.filters.delete(chosen)
            st.rerun()
