"""Transcribing a recording again, and going back to results of before."""

import time

import streamlit as st

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.values import Json
from echostream_ui.library.versions import Version
from echostream_ui.recording import options
from echostream_ui.recording.told import told
from echostream_ui.services import services
from echostream_ui.words import wording

_LOOK_S = 1.0


def player_key(media_id: str) -> str:
    """The key of the player, another one for another transcript: what can be undone in the old one
    must not be in the new one."""
    return f"player-{media_id}-{st.session_state.get(_changes(media_id), 0)}"


def button(store: Store, media: Media, analysis: Analysis) -> None:
    if st.button("Transcribe again", icon=":material/refresh:"):
        options.put(_key(media.id), analysis.request)
        _dialog(store, media, analysis.request)


def show(store: Store, media: Media) -> None:
    """Shows that the recording is being transcribed again, or why that failed: a fragment that
    looks every second while there is something to see."""
    is_running = services().intake.again.progress(media.id) is not None
    with st.container():  # what comes after it stays at its place on the page
        st.fragment(_show, run_every=_LOOK_S if is_running else None)(media, is_running)


@told
def _show(media: Media, was_running: bool) -> None:
    again = services().intake.again
    now = again.progress(media.id)
    if now is None and was_running:
        if again.problem(media.id) is None:
            _changed(media.id)
        st.rerun()
    if now is not None:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            with st.container(gap="xsmall"):
                said_now = f"Transcribing again. {wording.progress(now, time.time())}"
                if now.share is not None:
                    st.progress(now.share, said_now)
                else:
                    st.markdown(f":material/hourglass_top: {said_now}")
                if now.trouble:
                    st.caption(f":material/warning: {wording.sentences(now.trouble)}")
                st.caption("This transcript stays until the new one is complete.")
            if st.button("Cancel", key=f"cancel-again-{media.id}", icon=":material/close:"):
                again.cancel(media.id)
                st.rerun()
    elif problem := again.problem(media.id):
        said = f"It could not be transcribed again, so nothing has changed. {problem}"
        st.error(wording.sentences(said), icon=":material/error:")


@st.dialog("Transcribe again", width="large", dismissible=False)
@told
def _dialog(store: Store, media: Media, before: Json) -> None:
    again = services().intake.again
    st.write(
        "Your changes to this transcript are kept with it, and you can go back to it here. Title,"
        " tags and action items that you changed stay, and the names of speakers who are found"
        " again."
    )
    request = options.ask(_key(media.id))
    kept = {name: before[name] for name in options.NOT_KEPT if name in before}
    is_running = again.progress(media.id) is not None
    with st.container(horizontal=True):
        wanted = st.button("Transcribe", type="primary", disabled=is_running)
        if st.button("Cancel"):
            st.rerun()
    if wanted:
        try:
            again.start(store, media.id, request | kept)
        except OSError as error:
            raise StoreError(f"It cannot be begun here: {error.strerror or error}.") from error
        st.rerun()
    if found := store.versions.all(media.id):
        st.subheader("Earlier transcripts", anchor=False)
        for version in found:
            _show_version(store, media, version)


def _show_version(store: Store, media: Media, version: Version) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.write(wording.plain(_words(version)))
        if st.button("Go back to it", key=f"version-{version.id}", icon=":material/undo:"):
            analysis = store.versions.read(media.id, version.id)
            if analysis is None:
                raise StoreError("This transcript has been deleted meanwhile.")
            store.versions.replace(analysis, version.id)
            _changed(media.id)
            st.rerun()


def _words(version: Version) -> str:
    maker = " ".join(part for part in (version.engine, version.model) if part)
    edits = f"with {wording.count(version.edits, 'changed line')}" if version.edits else "unchanged"
    until = wording.day_and_time(version.replaced_at, st.context.timezone)
    return f"Until {until}" + (f", by {maker}" if maker else "") + f", {edits}"


def _key(media_id: str) -> str:
    return f"transcribe-{media_id}"


def _changes(media_id: str) -> str:
    return f"transcripts-{media_id}"


def _changed(media_id: str) -> None:
    st.session_state[_changes(media_id)] = st.session_state.get(_changes(media_id), 0) + 1
