"""Which recordings the page *Ask* is about."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import streamlit as st

from echostream_ui.asking import MOST_RECORDINGS
from echostream_ui.components.going import go
from echostream_ui.library.media import Media
from echostream_ui.library.search import Query
from echostream_ui.library.store import Store

_KEY = "ask_about"


@dataclass(frozen=True, slots=True)
class About:
    """Recordings with a text, no more than the API answers questions about, and how many there
    would be without that limit."""

    media: tuple[Media, ...]
    total: int


def selected(media: Sequence[Media]) -> About:
    done = tuple(one for one in media if one.state == "completed")
    return About(done[:MOST_RECORDINGS], len(done))


def matching(store: Store, query: Query) -> About:
    """The first ones that match, in the query's order."""
    if query.states and "completed" not in query.states:
        return About((), 0)
    found = store.search(replace(query, states=("completed",), limit=MOST_RECORDINGS, offset=0))
    return About(tuple(row.media for row in found.rows), found.total)


def ask(about: About) -> NoReturn:
    """Opens the page that asks about these."""
    st.session_state[_KEY] = about
    go("ask")


def current(store: Store) -> About:
    """What was chosen; the newest recordings if nothing was."""
    about: About | None = st.session_state.get(_KEY)
    return about if about is not None else matching(store, Query())
