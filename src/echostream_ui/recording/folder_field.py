"""The controls that choose a folder: those there are as buttons, a new one as text. Nothing
unfolds, so nothing can cover the button that saves."""

import streamlit as st

from echostream_ui.library.search import NO_FOLDER
from echostream_ui.library.store import Store
from echostream_ui.words.wording import plain

_LONGEST_NAME = 100


def ask(store: Store, now: str | None) -> tuple[str | None, str]:
    """Shows them, with the folder `now` chosen at first. Returns the chosen folder's id (or
    `NO_FOLDER`, or None if nothing is chosen) and the name of a new one, which goes first."""
    words = {NO_FOLDER: "No folder"} | {each.id: each.name for each in store.folders.all()}
    chosen = st.pills(
        "Folder",
        list(words),
        format_func=lambda each: plain(words[each]),
        default=now if now in words else None,
    )
    return chosen, name("New folder")


def name(label: str, value: str = "") -> str:
    """Shows the field of a folder's name."""
    typed = st.text_input(label, value, max_chars=_LONGEST_NAME)
    return " ".join(typed.split())
