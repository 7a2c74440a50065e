"""Who looks at a page, and whose library it shows."""

import streamlit as st

from frontend.services import services
from frontend.store import Store


def current_store() -> Store:
    """The library of the user who is signed in; without Supabase, the one on this machine."""
    shared = services()
    if shared.library is not None:
        return shared.library
    store: Store | None = st.session_state.get("store")
    if store is None:
        st.stop()
    return store
