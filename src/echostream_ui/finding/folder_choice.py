"""Folders: making, renaming and deleting them, and putting recordings into one."""

from collections.abc import Sequence

import streamlit as st

from echostream_ui.library.folders import Folder
from echostream_ui.library.media import Media
from echostream_ui.library.search import NO_FOLDER
from echostream_ui.library.store import Store
from echostream_ui.recording import folder_field
from echostream_ui.recording.told import told
from echostream_ui.words.wording import count, plain


@st.dialog("Folders", on_dismiss="rerun")
@told
def manage(store: Store) -> None:
    with st.form("new_folder", clear_on_submit=True, border=False):
        name = folder_field.name("New folder")
        is_made = st.form_submit_button("Create", icon=":material/create_new_folder:")
    if is_made and name:
        _add(store, name)
    folders = {each.id: each for each in store.folders.all()}
    if not folders:
        st.caption("A recording can be in one folder. There are none yet.")
        return
    chosen = st.pills(
        "Rename or delete", list(folders), format_func=lambda each: plain(folders[each].name)
    )
    if chosen:
        _change(store, folders[chosen])


@told
def _add(store: Store, name: str) -> None:
    store.folders.add(name)


@told
def _change(store: Store, folder: Folder) -> None:
    with st.form(f"folder_{folder.id}", border=False):
        name = folder_field.name("Name", folder.name)
        with st.container(horizontal=True):
            renamed = st.form_submit_button("Rename", type="primary")
            deleted = st.form_submit_button("Delete folder", icon=":material/delete:")
    st.caption(f"Deleting it leaves its {count(folder.recordings, 'recording')} in no folder.")
    if renamed and name:
        store.folders.rename(folder.id, name)
    if deleted:
        store.folders.delete(folder.id)
    if deleted or (renamed and name):
        st.rerun()


# A click beside a dialog must not lose what was typed in it: only its buttons close it.
@st.dialog("Move recordings", dismissible=False)
@told
def move(store: Store, chosen: Sequence[Media]) -> None:
    now = {media.folder or NO_FOLDER for media in chosen}
    with st.form("move", border=False):
        folder, new = folder_field.ask(store, now.pop() if len(now) == 1 else None)
        with st.container(horizontal=True):
            is_moved = st.form_submit_button("Move", type="primary")
            is_over = st.form_submit_button("Cancel")
    if is_moved and not new and folder is None:
        st.error("Choose a folder, or name a new one.")
        return
    if is_moved:
        into = store.folders.add(new) if new else folder
        store.folders.move([media.id for media in chosen], into or None)
    if is_moved or is_over:
        st.rerun()
