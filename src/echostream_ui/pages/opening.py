"""Opening a recording from a part of a page that runs by itself.

A page that is left from within such a fragment stays empty where the fragment's next run comes in
between. So the whole page is run once more, and that run leaves it.
"""

import streamlit as st

_KEY = "recording_to_open"


def ask(media_id: str) -> None:
    """Have the page leave for a recording. Does not return."""
    st.session_state[_KEY] = media_id
    st.rerun()


def follow() -> None:
    """Leave, where that was asked for. To be called first in a page."""
    if media_id := st.session_state.pop(_KEY, None):
        st.switch_page("recording.py", query_params={"id": media_id})
