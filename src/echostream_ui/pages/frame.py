"""The frame of every page: navigation, account, and the API's problems."""

from pathlib import Path

import streamlit as st

from echostream_ui.pages import live_recording
from echostream_ui.pages.session import keep_signed_in, sign_out, signed_in
from echostream_ui.services import services
from echostream_ui.words.wording import plain, sentences

# Our own files: browsers would load any other icon from the internet.
_ICON, _LOGO = (Path(__file__).parent.parent / name for name in ("icon.svg", "logo.svg"))

st.set_page_config(page_icon=str(_ICON), layout="wide")
st.logo(str(_LOGO), size="large")
# Streamlit leaves a third of a phone's screen empty above the title.
# The bar of a recording lies above the page, and takes no room in it. Streamlit's captions are too
# pale to be read by everybody, and so is white on the bright buttons that a dark page needs.
st.html(
    """<style>
    .stMainBlockContainer { padding-top: 4.25rem; padding-bottom: 4.5rem; }
    .st-key-live_bar { position: absolute; }
    [data-testid=stCaptionContainer] { opacity: 0.85; }
    :is([data-testid^=stBaseButton-primary], [data-baseweb=tag]),
    :is([data-testid^=stBaseButton-primary], [data-baseweb=tag]) * {
      color: light-dark(#ffffff, #12161c) !important;
    }
    </style>"""
)


@st.fragment(run_every=3)
def api_banner() -> None:
    """Shows the API's problems, also those that begin while a page is open."""
    state = services().api_seen()
    if state.error is not None:
        st.error(sentences(state.error.words), icon=":material/cloud_off:")
    elif state.status is not None:
        for problem in state.status.problems:
            st.warning(sentences(problem), icon=":material/warning:")


def pages() -> list[st.Page]:
    if signed_in() is None:
        return [st.Page("sign_in.py", title="Sign in", icon=":material/login:")]
    return [
        st.Page("library.py", title="Library", icon=":material/library_music:", default=True),
        st.Page("add.py", title="Add", icon=":material/add_circle:"),
        st.Page("live.py", title="Live", icon=":material/mic:"),
        st.Page("dashboard.py", title="Dashboard", icon=":material/insights:"),
        st.Page("backup.py", title="Backup", icon=":material/archive:"),
        st.Page("ask.py", title="Ask", visibility="hidden"),
        st.Page("recording.py", title="Recording", visibility="hidden"),
    ]


def account() -> None:
    """Shows who is signed in, if there are accounts."""
    store = st.session_state.get("store")
    if store is not None:
        with (
            st.container(horizontal=True, horizontal_alignment="right"),
            st.popover(plain(store.email), icon=":material/person:"),
        ):
            st.button("Sign out", icon=":material/logout:", on_click=sign_out)


page = st.navigation(pages(), position="top")
st.set_page_config(page_title=f"{page.title} · EchoStream")
keep_signed_in()
live_recording.show_bar(is_live_page=page.url_path == "live", is_signed_in=signed_in() is not None)
account()
api_banner()
page.run()
