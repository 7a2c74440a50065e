"""Links by which others read a recording of the local library."""

from datetime import timedelta

import streamlit as st

from echostream_ui.components.copies import copies
from echostream_ui.library.media import Media
from echostream_ui.library.sqlite.shares import Share, Shares
from echostream_ui.recording.told import told
from echostream_ui.services import services
from echostream_ui.words import wording

_LASTS = {
    "1 day": timedelta(days=1),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
    "Until I end it": None,
}
_USUAL = "7 days"
_SECRET = "share-secret"  # noqa: S105 - the name of its place


def button(media: Media) -> None:
    """Shows the button, if recordings can be shared: there is an address, and no Supabase."""
    shared = services()
    if shared.library is None or shared.settings.public_url is None:
        return
    if st.button("Share", icon=":material/share:"):
        st.session_state.pop(_SECRET, None)
        _share(media, shared.library.shares, shared.settings.public_url)


@st.dialog("Share this recording")
@told
def _share(media: Media, shares: Shares, public_url: str) -> None:
    st.write(
        "Whoever has the link can read the title, the summary, the action items and the"
        " transcript, as they are whenever they look. They can change nothing."
    )
    lasts = st.radio("The link works for", _LASTS, list(_LASTS).index(_USUAL), horizontal=True)
    has_sound = st.checkbox("They can also listen to the recording")
    if st.button("Make a link", type="primary", icon=":material/link:"):
        added = shares.add(media.id, _LASTS[lasts], has_sound=has_sound)
        st.session_state[_SECRET] = added
    secret = st.session_state.get(_SECRET)
    if secret and shares.find(secret):  # it may have been ended below
        link = f"{public_url}/share/{secret}"
        st.success("Here is the link. Copy it now: it is not kept.")
        st.code(link, language=None, wrap_lines=True)
        copies({"Copy the link": link}, key="copy-link")
    for share in shares.of(media.id):
        _made(shares, share)


def _made(shares: Shares, share: Share) -> None:
    """Shows a link that was made before, with a button that ends it."""
    timezone = st.context.timezone
    made = wording.day_and_time(share.created_at, timezone)
    until = share.expires_at
    works = f"works until {wording.day_and_time(until, timezone)}" if until else "does not expire"
    sound = ", with sound" if share.has_sound else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Made {made}; {works}{sound}")
        if st.button("End link", key=f"end-share-{share.id}", help=f"End the link made {made}"):
            shares.end(share.id)
            st.rerun(scope="fragment")
