"""The user of a page, and the library that it shows."""

from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from echostream_ui.door.people import is_allowed
from echostream_ui.library.store import Store, StoreError
from echostream_ui.services import services
from echostream_ui.visits import COOKIE

if TYPE_CHECKING:
    from echostream_ui.library.supabase.store import SupabaseStore

# Gets the cookie from this server, whatever path it is served under.
_REMEMBER = """
export default function ({ data }) {
  fetch(new URL("visit?ticket=" + encodeURIComponent(data), document.location), { method: "POST" });
}
"""
_remember = st.components.v2.component("echostream_remember", js=_REMEMBER)
# The door takes the cookie back, and asks for the password again.
_LEAVE = """
export default function () {
  fetch(new URL("sign-out", document.location), { method: "POST" })
    .then(() => document.location.replace(new URL(".", document.location)));
}
"""
_leave = st.components.v2.component("echostream_leave", js=_LEAVE)


def signed_in() -> Store | None:
    """Returns the user's library, None if not signed in; without Supabase, the local one."""
    shared = services()
    if shared.library is not None:
        is_known = not shared.settings.uses_oidc or is_allowed(
            st.user.to_dict(), shared.settings.oidc_allowed
        )
        return shared.library if is_known else None
    store: Store | None = st.session_state.get("store")
    if store is None:
        store = shared.visits.find(st.context.cookies.get(COOKIE))
        st.session_state["store"] = store
        if store is not None:
            shared.tidy(store)
    return store


def current_store() -> Store:
    """The same, for pages that need a signed-in user. Whoever has just left, in another window too,
    sees the page to sign in."""
    store = signed_in()
    if store is None:
        st.rerun()
    return store


def sign_in(store: "SupabaseStore") -> None:
    """Begins a session, and continues what the user's earlier sessions left unfinished."""
    shared = services()
    st.session_state["store"] = store
    st.session_state["ticket"] = shared.visits.tickets.issue(store)
    shared.intake.resume(store)
    shared.tidy(store)


def keep_signed_in() -> None:
    """Makes the browser get its cookie, as soon as there is a page that can ask for it."""
    if ticket := st.session_state.get("ticket"):
        _remember(data=ticket, key="remember")


def leave() -> None:
    """Makes the browser sign out of a frontend that has a password for all."""
    _leave(key="leave")


def sign_out() -> None:
    shared = services()
    store: SupabaseStore = st.session_state.pop("store")
    shared.visits.end(store)
    st.session_state.clear()
    # Background work can only write with this session, so it must stay; it expires by itself. So it
    # does if Supabase cannot be asked: nothing may keep people from leaving.
    with suppress(StoreError):
        if not store.unfinished():
            store.sign_out()
