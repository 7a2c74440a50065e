"""Opens a recording's page from a fragment, a part of a page that reruns by itself.

If a fragment itself switches the page and its own next run comes in between, the screen stays
empty. So the fragment reruns the whole page, and that run switches.
"""

import streamlit as st

_KEY = "recording_to_open"


def ask(media_id: str, line: int | None = None) -> None:
    """Makes the page switch to a recording, and there to a line if one is given. Does not
    return."""
    st.session_state[_KEY] = {"id": media_id} | ({"line": str(line)} if line is not None else {})
    st.rerun()


def follow() -> None:
    """Switches to the recording if `ask` was called. Call this first in a page."""
    if found := st.session_state.pop(_KEY, None):
        st.switch_page("recording.py", query_params=found)
