"""What was just deleted, so that it can be brought back at once."""

from collections.abc import Sequence

import streamlit as st

from echostream_ui.library.media import Media
from echostream_ui.library.store import Store
from echostream_ui.recording.told import told
from echostream_ui.services import services
from echostream_ui.words.wording import count, plain

_KEY = "just_deleted"


def delete(store: Store, chosen: Sequence[Media]) -> None:
    """Moves recordings to the bin; the library then offers to undo that. Raises StoreError."""
    services().intake.to_bin(store, [media.id for media in chosen])
    st.session_state[_KEY] = list(chosen)


@told
def show(store: Store) -> None:
    """Says what was deleted last, with a button that brings it back."""
    chosen: list[Media] = st.session_state.get(_KEY, [])
    if not chosen:
        return
    what = f"“{plain(chosen[0].title)}”" if len(chosen) == 1 else count(len(chosen), "recording")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(f"{what} moved to the bin.", icon=":material/delete:")
        if st.button("Undo", icon=":material/undo:"):
            services().intake.restore(store, [media.id for media in chosen])
            _forget()
        if st.button("Close", key="close_undo"):
            _forget()


def _forget() -> None:
    del st.session_state[_KEY]
    st.rerun()
