"""*Live*: shows text while the user speaks, and saves the recording in the library."""

import time

import streamlit as st

from echostream_ui.components.going import link
from echostream_ui.components.recorder import recorder
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import UNFINISHED, Media
from echostream_ui.pages.session import current_store
from echostream_ui.recording import speakers
from echostream_ui.services import services
from echostream_ui.words import wording
from echostream_ui.words.languages import NAMES, language_name

_POLL_S = 1.0


def show_form() -> None:
    """Shows the options, which cannot change during a recording."""
    state = st.session_state
    is_on = state.setdefault("live_is_on", False)
    if is_on:  # Streamlit may have forgotten it, if pages were changed in a hurry
        state.live_title = state.get("live_title_given", "")
    title, language, who = st.columns([3, 2, 2])
    title.text_input(
        "Title",
        key="live_title",
        placeholder="Taken from what is said",
        persist_state="session",
        disabled=is_on,
    )
    language.selectbox(
        "Language spoken",
        ["", *sorted(NAMES, key=NAMES.__getitem__)],
        key="live_language",
        format_func=lambda code: language_name(code) if code else "Detect",
        persist_state="session",
        disabled=is_on,
    )
    speakers.ask(who, "live_speakers", disabled=is_on)
    st.toggle(
        "Insights while I speak",
        key="live_insights",
        help="Action items and decisions so far, twice a minute. They take computing time, or"
        " requests to a language model.",
        persist_state="session",
        disabled=is_on,
    )
    if len(offered := services().models) > 1:
        st.selectbox("Model", offered, key="live_model", persist_state="session", disabled=is_on)


def show_outcome(media_id: str) -> None:
    """Shows the state of the last recording and, when it is done, the result."""
    media = current_store().media(media_id)
    if media is None:
        return
    is_unfinished = media.state in UNFINISHED

    def look() -> None:
        now = current_store().media(media_id)
        if now is not None and is_unfinished != (now.state in UNFINISHED):
            st.rerun()
        elif now is not None:
            show(now)

    st.fragment(look, run_every=_POLL_S if is_unfinished else None)()


def show(media: Media) -> None:
    with st.container(border=True):
        st.header(wording.plain(media.title), anchor=False)
        if media.state in UNFINISHED:
            show_progress(media)
        elif media.state != "completed":
            st.error(wording.sentences(media.message or "This recording has no text."))
        elif analysis := current_store().analysis(media.id):
            show_insights(analysis)
        link(
            "recording.py",
            "Open the recording",
            key="recording",
            query={"id": media.id},
            icon=":material/open_in_new:",
            kind="primary",
        )


def show_progress(media: Media) -> None:
    progress = services().intake.progress(media.id)
    if progress is None:
        return
    if progress.trouble:
        st.warning(wording.sentences(progress.trouble), icon=":material/hourglass_top:")
    else:
        st.markdown(f":material/hourglass_top: {wording.progress(progress, time.time())}")


def show_insights(analysis: Analysis) -> None:
    """Shows the insights in brief. The recording's own page has the rest."""
    insights = analysis.insights or {}
    if summary := insights.get("summary"):
        st.text(summary)
    if topics := insights.get("topics"):
        st.caption("Topics: " + ", ".join(map(wording.plain, topics)))
    if found := len(analysis.action_items):
        st.caption(wording.count(found, "action item"))


st.title("Live", anchor=False)
show_form()
recorder("live_recorder")
if media_id := st.session_state.get("live_media_id"):
    show_outcome(media_id)
