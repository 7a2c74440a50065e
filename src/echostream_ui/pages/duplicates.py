"""Files that the library has already: its user may look at that recording, or add them again."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from echostream_ui.components.going import link
from echostream_ui.library.media import Media
from echostream_ui.words.wording import day, plain

_KEY = "held_back"


@dataclass(frozen=True, slots=True)
class _Held:
    """A file that was not added, since it is in the library as `media`; `add` adds it again."""

    file: Any
    media: Media
    add: Callable[..., str]


def hold(file: Any, media: Media, add: Callable[..., str]) -> None:
    """Keeps a file until its user has decided, or leaves."""
    st.session_state.setdefault(_KEY, []).append(_Held(file, media, add))


def show(take: Callable[[list[Any], Callable[..., str]], None]) -> None:
    """Asks about each file that is held. `take` adds files, and says what is wrong with one."""
    held: list[_Held] = st.session_state.get(_KEY, [])
    for place, each in enumerate(list(held)):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            since = day(each.media.created_at, st.context.timezone)
            st.markdown(
                f"**{plain(each.file.name)}** is in the library already, as"
                f" “{plain(each.media.title)}” of {since}.",
                width="stretch",
            )
            link(
                "recording.py",
                "Open",
                key=f"there_{place}",
                query={"id": each.media.id},
                kind="primary",
            )
            if st.button("Add all the same", key=f"add_again_{place}"):
                held.remove(each)
                take([each.file], partial(each.add, again=True))
                st.rerun()
            if st.button("Leave out", key=f"leave_out_{place}"):
                held.remove(each)
                st.rerun()
