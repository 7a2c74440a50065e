"""Voices that the user knows: remembered where speakers are named, suggested where they are heard
again."""

from collections.abc import Callable, Mapping

import streamlit as st

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.store import Store
from echostream_ui.library.voices import Suggestion, Voices, remembered, suggestions
from echostream_ui.recording.told import told
from echostream_ui.words.wording import plain

Keep = Callable[[Mapping[str, str]], None]


def ask_remember(store: Store, analysis: Analysis, speaker: str) -> bool | None:
    """Shows the choice to remember a speaker's voice, below their name. Returns None where there is
    no such choice: the answer has no voice of theirs, or the library keeps none."""
    if store.voices is None or remembered(analysis, speaker, "") is None:
        return None
    here = (analysis.media_id, speaker)
    return st.checkbox(
        f"Remember the voice of {plain(speaker)}, to suggest the name where it is heard again",
        any((each.media_id, each.speaker) == here for each in store.voices.known()),
    )


def keep(
    store: Store, analysis: Analysis, names: Mapping[str, str], wanted: Mapping[str, bool | None]
) -> None:
    """Remembers the voices that are `wanted` and have a name, and forgets those that are not."""
    if store.voices is None:
        return
    for speaker, is_wanted in wanted.items():
        voice = remembered(analysis, speaker, names.get(speaker, ""))
        if is_wanted and voice and voice.name:
            store.voices.remember(voice)
        elif is_wanted is not None:
            store.voices.forget(analysis.media_id, speaker)


@told
def suggest(store: Store, analysis: Analysis, keep_names: Keep) -> None:
    """Shows whom the speakers without a name sound like, if anybody."""
    voices = store.voices
    if voices is None or not (known := voices.known()):
        return
    for each in suggestions(analysis, known, voices.refused(analysis.media_id)):
        _suggestion(voices, analysis, each, keep_names)


def _suggestion(voices: Voices, analysis: Analysis, found: Suggestion, keep_names: Keep) -> None:
    name = plain(found.name)
    key = f"known-{analysis.media_id}-{found.speaker}"
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/record_voice_over: {plain(found.speaker)} sounds like **{name}**"
            f" ({found.sureness})",
            width="content",
        )
        if st.button(f"Use {name}", key=f"{key}-use"):
            keep_names({**analysis.speakers, found.speaker: found.name})
            st.rerun()
        if st.button("Ignore", help=f"Never suggests {name} here again", key=f"{key}-ignore"):
            voices.refuse(analysis.media_id, found.speaker, found.name)
            st.rerun()
