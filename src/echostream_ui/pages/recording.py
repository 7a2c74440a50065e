"""One recording: its audio, transcript and insights."""

from collections.abc import Sequence

import streamlit as st

from echostream_ui.components.player import player
from echostream_ui.library.store import UNFINISHED, Analysis, Json, Media, Store, StoreError
from echostream_ui.library.transcript import Line, edited, lines_of
from echostream_ui.pages.session import current_store
from echostream_ui.recording import cautions, header, insights, states
from echostream_ui.recording.audio import audio_of, copy_is_made
from echostream_ui.recording.told import told
from echostream_ui.words.problems import words


@told
def main() -> None:
    store = current_store()
    media = store.media(st.query_params.get("id", ""))
    if media is None:
        states.missing()
        return
    if media.state in UNFINISHED:
        states.under_way(store, media)
        return
    analysis = store.analysis(media.id)
    if media.state != "completed" or analysis is None or analysis.response is None:
        states.ended(store, media)
        header.show(store, media, None)
        return
    lines = lines_of(analysis.response or {}, analysis.edits, analysis.speakers)
    header.show(store, media, analysis, lines)
    _completed(store, media, analysis, lines)


def _completed(store: Store, media: Media, analysis: Analysis, lines: Sequence[Line]) -> None:
    left, right = st.columns([3, 2], gap="medium")
    with left:
        audio = audio_of(store, media)
        if audio.needs_copy:
            copy_is_made(media, audio.needs_copy)
        if not lines:
            st.info("No speech was found in this recording.", icon=":material/voice_over_off:")
        key = f"player-{media.id}"
        player(
            lines,
            key=key,
            audio=audio.url,
            notice=audio.notice,
            unplayable=audio.unplayable,
            start=_start(),
            reply=st.session_state.get(f"{key}-reply"),
            on_edit=lambda change: _edit(store, media.id, f"{key}-reply", change),
        )
        cautions.show(analysis.response or {}, lines, key=f"cautions-{media.id}")
    with right:
        insights.show(store, media, analysis, {line.id: line for line in lines})


def _start() -> int | None:
    """Returns the line that the page was opened for."""
    line = st.query_params.get("line", "")
    return int(line) if line.isdecimal() else None


def _edit(store: Store, media_id: str, reply: str, change: Json) -> None:
    """Saves a line's text. The next run tells the player whether that worked."""
    error: str | None = None
    try:
        analysis = store.analysis(media_id)
        if analysis is None or analysis.response is None:
            raise StoreError("The recording has been deleted meanwhile.")
        edits = edited(analysis.response, analysis.edits, change["id"], change["text"])
        store.update_analysis(media_id, edits=edits)
    except StoreError as problem:
        error = words(problem)
    st.session_state[reply] = {"nonce": change["nonce"], "error": error}


main()
