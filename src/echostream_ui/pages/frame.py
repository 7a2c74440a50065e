"""The frame of every page: navigation, account, and the API's problems."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from echostream_ui.components.going import go
from echostream_ui.library.store import Store, StoreError
from echostream_ui.pages import live_recording
from echostream_ui.pages.session import keep_signed_in, leave, sign_out, signed_in
from echostream_ui.services import services
from echostream_ui.shell import PATHS
from echostream_ui.words.problems import open_to_all
from echostream_ui.words.wording import plain, sentences

# Our own files: browsers would load any other icon from the internet.
_ICON, _LOGO = (Path(__file__).parent.parent / name for name in ("icon.svg", "logo.svg"))

st.set_page_config(page_icon=str(_ICON))
st.logo(str(_LOGO), size="large")


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
    store = signed_in()
    if store is None:
        page = "sign_in_elsewhere.py" if services().settings.uses_oidc else "sign_in.py"
        here = st.Page(page, title="Sign in", icon=":material/login:", default=True)
        # Links to any page lead here too; Streamlit would say that there is no such page.
        return [
            here,
            *(
                st.Page(page, title="Sign in", url_path=each, visibility="hidden")
                for each in PATHS[1:]
            ),
        ]
    return [
        st.Page("library.py", title="Library", icon=":material/library_music:", default=True),
        st.Page("add.py", title="Add", icon=":material/add_circle:"),
        st.Page("live.py", title="Live", icon=":material/mic:"),
        st.Page("dashboard.py", title="Dashboard", icon=":material/insights:"),
        st.Page("backup.py", title="Backup", icon=":material/archive:"),
        st.Page(
            "voices.py",
            title="Voices",
            icon=":material/record_voice_over:",
            visibility="visible" if are_voices_known(store) else "hidden",
        ),
        st.Page("bin.py", title="Bin", visibility="hidden"),
        st.Page("ask.py", title="Ask", visibility="hidden"),
        st.Page("recording.py", title="Recording", visibility="hidden"),
    ]


def open_banner() -> None:
    """Says that anybody on the network sees the library, if that is so."""
    if warning := open_to_all(services().settings, st.get_option("server.address")):
        st.warning(sentences(warning), icon=":material/lock_open:")


def are_voices_known(store: Store) -> bool:
    try:
        return store.voices is not None and bool(store.voices.known())
    except StoreError:
        return False  # whatever page this is says so


def account() -> None:
    """Shows who is signed in, if there are accounts, and lets them out."""
    settings, store = services().settings, st.session_state.get("store")
    if settings.frontend_password is not None:
        with st.container(horizontal=True, horizontal_alignment="right"):
            if st.button("Sign out", icon=":material/logout:"):
                leave()
    elif settings.uses_oidc and signed_in() is not None:
        _leaves(str(st.user.get("email")), st.logout)
    elif store is not None and _leaves(store.email):
        sign_out()
        go("")


def _leaves(email: str, on_leave: Callable[[], None] | None = None) -> bool:
    """Shows who is signed in; returns whether they want to leave."""
    with (
        st.container(horizontal=True, horizontal_alignment="right"),
        st.popover(plain(email), icon=":material/person:"),
    ):
        return st.button("Sign out", icon=":material/logout:", on_click=on_leave)


page = st.navigation(pages(), position="top")
st.set_page_config(page_title=f"{page.title} · EchoStream")
keep_signed_in()
live_recording.show_bar(is_live_page=page.url_path == "live", is_signed_in=signed_in() is not None)
account()
open_banner()
api_banner()
page.run()
