"""Every page's frame: navigation, and how the API is."""

import streamlit as st

from frontend.services import services

st.set_page_config(page_title="EchoStream", page_icon=":material/graphic_eq:", layout="wide")
# Streamlit leaves a third of a phone's screen empty above the title.
st.html("<style>.stMainBlockContainer { padding-top: 4.5rem; padding-bottom: 3rem; }</style>")


@st.fragment(run_every=3)
def api_banner() -> None:
    """Says when the API is away, also while a page stands open."""
    state = services().api_seen()
    if state.error is not None:
        st.error(state.error.words, icon=":material/cloud_off:")
    elif state.status is not None:
        for problem in state.status.problems:
            st.warning(problem, icon=":material/warning:")


page = st.navigation(
    [
        st.Page("library.py", title="Library", icon=":material/library_music:", default=True),
        st.Page("add.py", title="Add", icon=":material/add_circle:"),
        st.Page("live.py", title="Live", icon=":material/mic:"),
        st.Page("dashboard.py", title="Dashboard", icon=":material/insights:"),
        st.Page("recording.py", title="Recording", visibility="hidden"),
    ],
    position="top",
)
api_banner()
page.run()
