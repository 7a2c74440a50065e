"""Recordings that are not shown: missing, in the bin, in progress, failed or cancelled."""

import time
from datetime import datetime, timedelta

import streamlit as st

from echostream_ui.components.going import link
from echostream_ui.library.media import BIN_DAYS, UNFINISHED, Media
from echostream_ui.library.store import Store
from echostream_ui.recording.told import told
from echostream_ui.services import services
from echostream_ui.words import wording
from echostream_ui.words.wording import plain

_LOOK_S = 1.0


def missing() -> None:
    st.title("Recording", anchor=False)
    st.info(
        "This recording is not in the library. It may have been deleted; choose another one there.",
        icon=":material/search_off:",
    )
    link("library.py", "Go to the library", key="library", kind="primary")


def in_bin(store: Store, media: Media, deleted_at: datetime) -> None:
    st.title(plain(media.title), anchor=False)
    last = wording.day(deleted_at + timedelta(days=BIN_DAYS), st.context.timezone)
    st.info(
        f"This recording is in the bin. It is deleted for good on {last}.", icon=":material/delete:"
    )
    with st.container(horizontal=True):
        if st.button("Restore", type="primary", icon=":material/restore_from_trash:"):
            services().intake.restore(store, [media.id])
            st.rerun()
        link("bin.py", "Go to the bin", key="bin")


def under_way(store: Store, media: Media) -> None:
    st.title(plain(media.title), anchor=False)
    _progress(store, media.id)
    if st.button("Cancel", icon=":material/cancel:"):
        with st.spinner("Cancelling…"):
            services().intake.cancel(store, media.id)
        st.rerun()


@st.fragment(run_every=_LOOK_S)
@told
def _progress(store: Store, media_id: str) -> None:
    """Shows the progress every second until the recording is no longer in progress."""
    media = store.media(media_id)
    if media is None or media.state not in UNFINISHED:
        st.rerun()
    now = services().intake.progress(media_id)
    label = wording.progress(now, time.time())
    if now is not None and now.share is not None:
        st.progress(now.share, text=label)
    else:
        st.status(label, state="running")
    if now is not None and now.trouble:
        st.warning(wording.sentences(now.trouble), icon=":material/hourglass_top:")
    st.caption("You can leave this page; the work goes on.")
    if now is not None and now.text:
        with st.container(border=True):
            st.caption("The text so far")
            st.text(wording.end_of(now.text))


def ended(store: Store, media: Media) -> None:
    """Shows why a recording failed, or that it was cancelled."""
    if media.state == "failed":
        message = media.message or "The recording could not be transcribed."
        st.error(wording.sentences(message), icon=":material/error:")
        label = "Try again"
    else:
        st.info("This recording was cancelled before it was transcribed.", icon=":material/block:")
        label = "Start again"
    if st.button(label, type="primary", icon=":material/refresh:"):
        services().intake.retry(store, media.id)
        st.rerun()
