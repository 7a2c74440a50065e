"""Episodes of a podcast on *Add*: a feed's address, and what to choose from."""

from collections.abc import Callable

import streamlit as st

from echostream.errors import EchoStreamError
from echostream_ui.intake.feeds import Episode, Feed, read_feed
from echostream_ui.services import services
from echostream_ui.words.problems import words
from echostream_ui.words.wording import count, day, duration, plain, sentences

_AT_ONCE = 20
_FEED, _SHOWN = "podcast_feed", "podcast_shown"


def show(add: Callable[[list[Episode]], None]) -> None:
    """Asks for a feed and shows its episodes. `add` is called with those that are chosen."""
    with st.form("podcast", border=False):
        url = st.text_input(
            "Address of a podcast's feed (RSS or Atom)",
            placeholder="https://example.com/podcast.xml",
            key="podcast_url",
        )
        if st.form_submit_button("Show episodes"):
            _read((url or "").strip())
    feed: Feed | None = st.session_state.get(_FEED)
    if feed is not None:
        _choose(feed, add)


def _read(url: str) -> None:
    shared, state = services(), st.session_state
    state.pop(_FEED, None)
    state[_SHOWN] = _AT_ONCE
    with st.spinner("Reading the feed…"):
        try:
            allowed = shared.settings.allow_private_urls
            state[_FEED] = shared.run(read_feed(url, allow_private=allowed))
        except EchoStreamError as error:
            st.error(sentences(words(error)), icon=":material/error:")


def _choose(feed: Feed, add: Callable[[list[Episode]], None]) -> None:
    st.subheader(plain(feed.title), anchor=False)
    wanted = ""
    if len(feed.episodes) > _AT_ONCE:
        wanted = st.text_input("Find in titles", key="podcast_find", icon=":material/search:")
    found = [one for one in feed.episodes if (wanted or "").casefold() in one.title.casefold()]
    shown = found[: st.session_state[_SHOWN]]
    st.caption(f"{count(len(found), 'episode')}, {len(shown)} of them here.")
    with st.form("podcast_episodes", clear_on_submit=True, border=False):
        chosen = [one for one in shown if st.checkbox(_label(one), key=f"episode_{one.url}")]
        if st.form_submit_button("Add", type="primary"):
            if not chosen:
                st.info("Choose one episode or several.")
            add(chosen)
    if len(shown) < len(found) and st.button("Show more episodes", icon=":material/expand_more:"):
        st.session_state[_SHOWN] += _AT_ONCE
        st.rerun()


def _label(episode: Episode) -> str:
    """`The title · 3 March 2026 · 42 min`."""
    parts = [episode.title]
    if episode.published_at is not None:
        parts.append(day(episode.published_at, st.context.timezone))
    if episode.duration_s is not None:
        parts.append(duration(episode.duration_s))
    return plain(" · ".join(parts))
