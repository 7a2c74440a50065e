"""Who looks at a page, and whose library it shows."""

from typing import TYPE_CHECKING

import streamlit as st

from echostream_ui.library.store import Store
from echostream_ui.services import services
from echostream_ui.visits import COOKIE

if TYPE_CHECKING:
    from echostream_ui.library.supabase.store import SupabaseStore

# Asks for the cookie, on this server, whatever path it is served under.
_REMEMBER = """
export default function ({ data }) {
  fetch(new URL("visit?ticket=" + encodeURIComponent(data), document.location), { method: "POST" });
}
"""
_remember = st.components.v2.component("echostream_remember", js=_REMEMBER)


def signed_in() -> Store | None:
    """The library of this session's user; without Supabase, the one on this machine."""
    shared = services()
    if shared.library is not None:
        return shared.library
    store: Store | None = st.session_state.get("store")
    if store is None:
        store = shared.visits.find(st.context.cookies.get(COOKIE))
        st.session_state["store"] = store
    return store


def current_store() -> Store:
    """The same, for pages that are shown to nobody else."""
    store = signed_in()
    if store is None:
        st.stop()
    return store


def sign_in(store: "SupabaseStore") -> None:
    """Begin a session; what the user's earlier ones left unfinished goes on."""
    shared = services()
    st.session_state["store"] = store
    st.session_state["ticket"] = shared.visits.tickets.issue(store)
    shared.intake.resume(store)


def keep_signed_in() -> None:
    """Let the browser have its cookie, once there is a page for it to ask from."""
    if ticket := st.session_state.get("ticket"):
        _remember(data=ticket, key="remember")


def sign_out() -> None:
    shared = services()
    store: SupabaseStore = st.session_state.pop("store")
    shared.visits.end(store)
    st.session_state.clear()
    # Work in the background has nothing but this session to write with; it expires by itself.
    if not store.unfinished():
        store.sign_out()
