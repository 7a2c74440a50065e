"""Presets on *Add*: options that are kept under a name."""

from contextlib import suppress

import streamlit as st

from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.values import Json
from echostream_ui.recording import options
from echostream_ui.recording.told import told

OPTIONS = "add"
"""The key of the options that presets are of."""

_CHOSEN, _NAME, _NEXT, _BEGUN = "add_preset", "add_preset_name", "add_preset_next", "add_begun"


@told
def choose(store: Store) -> None:
    """Shows the presets, if there are any. On the first page of a visit the last used one is
    chosen."""
    state = st.session_state
    known = {preset.name: preset.options for preset in store.presets.all()}
    if not state.get(_BEGUN):
        state[_BEGUN] = True
        state[_NEXT] = next(iter(known), None)
        if state[_NEXT] is not None:
            options.put(OPTIONS, known[state[_NEXT]])
    if _NEXT in state:
        state[_CHOSEN] = state.pop(_NEXT)
        state[_NAME] = state[_CHOSEN] or ""
    if state.get(_CHOSEN) not in known:
        state[_CHOSEN] = None
    if known:
        st.selectbox(
            "Preset",
            sorted(known, key=str.casefold),
            index=None,
            key=_CHOSEN,
            persist_state="session",
            placeholder="None",
            on_change=_use,
            args=(store,),
            help="Options that you have kept under a name.",
        )


def _use(store: Store) -> None:
    """Sets the options to those of the preset that the user has just chosen."""
    name = st.session_state[_CHOSEN]
    st.session_state[_NAME] = name or ""
    with suppress(StoreError):  # the page says it itself
        for preset in store.presets.all():
            if preset.name == name:
                options.put(OPTIONS, preset.options)
                store.presets.keep(name, preset.options)  # the last used one


@told
def show_keeping(store: Store, request: Json) -> None:
    """Shows the controls that save these options under a name, and delete the chosen preset."""
    chosen: str | None = st.session_state.get(_CHOSEN)
    with st.form("add_keep", border=False):
        typed = st.text_input(
            "Keep these options as a preset",
            key=_NAME,
            max_chars=100,
            placeholder="Its name, such as Board meetings",
            help="A name that you have used already gets these options instead.",
        )
        with st.container(horizontal=True):
            is_saved = st.form_submit_button("Save preset", icon=":material/bookmark_add:")
            is_deleted = chosen is not None and st.form_submit_button(
                "Delete preset", icon=":material/bookmark_remove:"
            )
    name = " ".join((typed or "").split())
    if chosen is not None and is_deleted:
        store.presets.delete(chosen)
        _continue_with(None)
    elif is_saved and not name:
        st.error("A preset needs a name.")
    elif is_saved:
        store.presets.keep(name, request)
        _continue_with(name)


def _continue_with(name: str | None) -> None:
    st.session_state[_NEXT] = name
    st.rerun()
