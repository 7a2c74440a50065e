"""The window's live recording, which goes on while the user looks at other pages."""

from datetime import UTC, datetime

import streamlit as st

from echostream_ui.api_client import Options
from echostream_ui.components.recorder import recording_bar
from echostream_ui.live.session import Wanted
from echostream_ui.pages.session import current_store
from echostream_ui.recording import speakers
from echostream_ui.services import services
from echostream_ui.words import wording


def show_bar(*, is_live_page: bool, is_signed_in: bool) -> None:
    """Shows the bar. Call this on every page, before what is the page's own: the recording speaks
    with this server through it."""
    state = st.session_state
    news = recording_bar(
        "live_bar",
        state.get("live_ticket"),
        is_here=is_live_page,
        is_allowed=is_signed_in,
        on_start=_issue_ticket,
    )
    if news.has_ended:
        state.live_is_on = False
        state.live_media_id = news.ended_id


def _issue_ticket() -> None:
    """Issues a ticket for the recording that begins now, with the Live page's options."""
    state = st.session_state
    now = datetime.now(UTC)
    name = f"Live, {wording.day_and_time(now, st.context.timezone)}"
    options = Options(
        language=state.get("live_language") or None,
        model=state.get("live_model"),
        recorded_at=wording.local(now, st.context.timezone).date(),
        **speakers.asked(state.get("live_speakers")),
    )
    state.live_title_given = state.get("live_title") or ""
    title = state.live_title_given.strip() or None
    wanted = Wanted(
        current_store(),
        name,
        title,
        options.as_json(),
        live_insights=bool(state.get("live_insights")),
    )
    state.live_ticket = services().live_tickets.issue(wanted)
    state.live_is_on = True
    state.live_media_id = None
