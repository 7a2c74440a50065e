"""Saves what the user changes in a component, and replies to it."""

from collections.abc import Callable

import streamlit as st

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.values import Json
from echostream_ui.words.problems import words
from echostream_ui.words.wording import sentences


def save(
    store: Store, media_id: str, reply: str, change: Json, edit: Callable[[Analysis], Json]
) -> None:
    """Saves the fields that `edit` makes of the results as they are now. Leaves a reply under the
    key `reply` of the session, with the `nonce` of the change and why it failed, if it did."""
    error: str | None = None
    try:
        latest = store.analysis(media_id)
        if latest is None:
            raise StoreError("The recording has been deleted meanwhile.")
        store.update_analysis(media_id, **edit(latest))
    except StoreError as problem:
        error = sentences(words(problem))
    st.session_state[reply] = {"nonce": change["nonce"], "error": error}
