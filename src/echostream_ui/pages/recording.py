"""One recording: its audio, transcript and insights."""

import re
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from echostream_ui.components.player import Sound, Start, player
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import UNFINISHED, Media
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.timed_words import timed_words
from echostream_ui.library.transcript import Line, lines_of
from echostream_ui.library.values import Json
from echostream_ui.pages.session import current_store
from echostream_ui.recording import (
    again,
    bookmarks,
    cautions,
    edits,
    header,
    insights,
    states,
    talk_time,
)
from echostream_ui.recording.audio import copy_is_made, sound_of
from echostream_ui.recording.told import told
from echostream_ui.words.problems import words

# The insights stay in view beside a long transcript; on a phone they come after it.
_STYLE = """<style>
@media (min-width: 641px) {
  [data-testid=stLayoutWrapper]:has(> .st-key-panel) { position: sticky; top: 4rem; }
  .st-key-panel { max-height: calc(100vh - 5rem); overflow-y: auto; scrollbar-width: thin; }
}
[data-testid=stTabs] { scroll-margin-top: 4.5rem; }
</style>"""
_LINE = re.compile(r"\d{1,7}")
_TIME = re.compile(r"\d{1,7}(\.\d{1,3})?")


@told
def main() -> None:
    store = current_store()
    media = store.media(st.query_params.get("id", ""))
    if media is None:
        states.missing()
        return
    st.set_page_config(page_title=f"{media.title} · EchoStream")
    if media.deleted_at is not None:
        states.in_bin(store, media, media.deleted_at)
        return
    if media.state in UNFINISHED:
        states.under_way(store, media)
        return
    analysis = store.analysis(media.id)
    if media.state != "completed" or analysis is None or analysis.response is None:
        header.show(store, media, None)
        states.ended(store, media)
        return
    lines = lines_of(analysis)
    header.show(store, media, analysis)
    _completed(store, media, analysis, lines)


def _completed(store: Store, media: Media, analysis: Analysis, lines: Sequence[Line]) -> None:
    st.html(_STYLE)
    again.show(store, media)
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(key="transcript"):
        sound = sound_of(store, media)
        if isinstance(sound, Path):
            copy_is_made(media, sound)
            sound = Sound(None, None, "")
        if not lines:
            st.info("No speech was found in this recording.", icon=":material/voice_over_off:")
        key = again.player_key(media.id)
        player(
            media.id,
            lines,
            timed_words(analysis.response or {}, lines),
            key=key,
            sound=sound,
            start=_start(),
            reply=st.session_state.get(f"{key}-reply"),
            on_edit=lambda change: _edit(store, media.id, f"{key}-reply", change),
        )
        cautions.show(analysis.response or {}, lines, key=f"cautions-{media.id}")
    with right, st.container(key="panel"):
        bookmarks.show(store, media.id)
        with st.container():  # also without one, so that what follows keeps its place
            talk_time.show(analysis, lines)
        insights.show(store, media, analysis, {line.id: line for line in lines})


def _start() -> Start:
    """Returns what the page was opened for: `?line=4`, or `?t=192&q=price`."""
    line, at = st.query_params.get("line", ""), st.query_params.get("t", "")
    return Start(
        int(line) if _LINE.fullmatch(line) else None,
        float(at) if _TIME.fullmatch(at) else None,
        st.query_params.get("q", ""),
    )


def _edit(store: Store, media_id: str, reply: str, change: Json) -> None:
    """Saves a change. The next run tells the player whether that worked."""
    told: Json = {"nonce": change["nonce"], "error": None, "undo": None}
    try:
        told["undo"] = edits.keep(store, media_id, change)
    except StoreError as problem:
        told["error"] = words(problem)
    st.session_state[reply] = told


main()
