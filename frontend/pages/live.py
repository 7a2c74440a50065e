"""*Live*: text while somebody speaks, and a recording in the library at the end."""

from datetime import datetime
from zoneinfo import ZoneInfo

import streamlit as st

from frontend.api_client import Options
from frontend.components.recorder import recorder
from frontend.languages import LANGUAGES
from frontend.services import services
from frontend.session import current_store
from frontend.store import UNFINISHED, Analysis, Media
from frontend.tickets import Wanted

_RECORDER = "live_recorder"
_POLL_S = 1.0


def issue_ticket() -> None:
    """For the recording that begins now, as the page stands."""
    state = st.session_state
    options = Options(language=state.live_language)
    wanted = Wanted(
        current_store(), _name_of_now(), state.live_title.strip() or None, options.as_json()
    )
    state.live_ticket = services().tickets.issue(wanted)
    state.live_is_on = True
    state.live_media_id = None


def _name_of_now() -> str:
    zone = st.context.timezone  # the browser's
    now = datetime.now(ZoneInfo(zone) if zone else None)
    return f"Live recording, {now.day} {now:%B %Y, %H:%M}"


def show_form() -> None:
    """Title and language, which are settled once a recording has begun."""
    state = st.session_state
    if _RECORDER not in state:  # the page was left meanwhile, which ends a recording
        state.live_is_on = False
    title, language = st.columns([3, 2])
    title.text_input(
        "Title",
        key="live_title",
        placeholder="Taken from what is said",
        disabled=state.live_is_on,
    )
    language.selectbox(
        "Language spoken",
        [None, *LANGUAGES],
        key="live_language",
        format_func=lambda code: LANGUAGES[code] if code else "Found out from the sound",
        disabled=state.live_is_on,
    )


def show_recorder() -> None:
    has_ended, media_id = recorder(_RECORDER, st.session_state.get("live_ticket"), issue_ticket)
    if has_ended:
        st.session_state.live_is_on = False
        st.session_state.live_media_id = media_id
        st.rerun()


def show_outcome(media_id: str) -> None:
    """What came of the last recording, as soon as it is known."""
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
        st.subheader(media.title, anchor=False)
        if media.state in UNFINISHED:
            progress = services().intake.progress(media.id)
            st.status((progress and progress.trouble) or "The text is on its way…", state="running")
        elif media.state != "completed":
            st.error(media.message or "There is no text of this recording.")
        elif analysis := current_store().analysis(media.id):
            show_insights(analysis)
        if st.button("Open the recording", type="primary", icon=":material/open_in_new:"):
            st.switch_page("pages/recording.py", query_params={"id": media.id})


def show_insights(analysis: Analysis) -> None:
    """In brief; the recording's own page has the rest."""
    insights = analysis.insights or {}
    if summary := insights.get("summary"):
        st.text(summary)
    if topics := insights.get("topics"):
        st.caption("Topics: " + ", ".join(topics))
    if count := len(analysis.action_items):
        st.caption(f"{count} action {'item' if count == 1 else 'items'}")


st.title("Live")
show_form()
show_recorder()
if media_id := st.session_state.get("live_media_id"):
    show_outcome(media_id)
