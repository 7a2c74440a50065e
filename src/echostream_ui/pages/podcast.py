"""Episodes of a podcast on *Add*: a feed's address, and what to choose from."""

from collections.abc import Callable, Sequence
from typing import Literal

import streamlit as st

from echostream.errors import EchoStreamError
from echostream_ui.intake.feeds import Episode, Feed, FeedError, feeds_among, read_feed
from echostream_ui.services import services
from echostream_ui.words.problems import words
from echostream_ui.words.wording import count, day, duration, plain, sentences

_AT_ONCE = 20
_FEED, _PLACE, _SHOWN = "podcast_feed", "podcast_place", "podcast_shown"
Place = Literal["links", "podcasts"]


def ask() -> None:
    """Asks for the address of a feed."""
    with st.form("podcast", border=False):
        url = st.text_input(
            "Address of a podcast's feed (RSS or Atom)",
            placeholder="https://example.com/podcast.xml",
            key="podcast_url",
        )
        if st.form_submit_button("Show episodes"):
            _read((url or "").strip())


def show(place: Place, add: Callable[[list[Episode]], None]) -> None:
    """Shows the episodes of the feed that was found in this tab. `add` is called with those that
    are chosen."""
    feed: Feed | None = st.session_state.get(_FEED)
    if feed is not None and st.session_state[_PLACE] == place:
        _choose(feed, add)


def without_feeds(links: Sequence[str]) -> list[str]:
    """Returns the links that do not lead to feeds. The episodes of the first feed among the others
    are shown."""
    shared = services()
    with st.spinner("Looking at the links…"):
        found = shared.run(feeds_among(links, allow_private=shared.settings.allow_private_urls))
    feeds = {url: feed for url, feed in found.items() if isinstance(feed, Feed)}
    for url, error in found.items():
        if isinstance(error, FeedError):
            st.error(f"{plain(url)}: {sentences(words(error))}", icon=":material/error:")
    for number, (url, feed) in enumerate(feeds.items()):
        if number == 0:
            _keep("links", feed)
            st.info(
                "This link leads to a podcast. Choose episodes below.", icon=":material/podcasts:"
            )
        else:
            st.info(f"{plain(url)} leads to a podcast too. Add it after this one.")
    return [url for url in links if url not in found]


def _read(url: str) -> None:
    shared = services()
    st.session_state.pop(_FEED, None)
    with st.spinner("Reading the feed…"):
        try:
            allowed = shared.settings.allow_private_urls
            _keep("podcasts", shared.run(read_feed(url, allow_private=allowed)))
        except EchoStreamError as error:
            st.error(sentences(words(error)), icon=":material/error:")


def _keep(place: Place, feed: Feed) -> None:
    st.session_state.update({_FEED: feed, _PLACE: place, _SHOWN: _AT_ONCE})


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
