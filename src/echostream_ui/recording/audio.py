"""The source of a recording's audio for the player, and the copy that browsers can play."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from echostream_ui.library import playable
from echostream_ui.library.store import Media, Store
from echostream_ui.services import services
from echostream_ui.words.problems import words

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Audio:
    """`url` may be relative to the page's. `notice` says why there is no audio. If `needs_copy` is
    set, a playable copy of that file must be made first."""

    url: str | None = None
    notice: str | None = None
    needs_copy: Path | None = None
    unplayable: str = "This browser cannot play the recording. Try another browser."


def audio_of(store: Store, media: Media) -> Audio:
    found = store.audio(media.id)
    if isinstance(found, Path):
        if playable.needs_copy(found, media.source):
            return Audio(needs_copy=found)
        # The copy has its own URL, so that no browser uses the original from its cache.
        version = "?copy" if playable.copy_of(found).exists() else ""
        return Audio(f"audio/{media.id}{version}")
    if found is not None:
        return Audio(found)
    if media.source == "url":
        return Audio(
            media.source_name,
            unplayable="The recording cannot be played from its address: it may have moved, or its"
            " site does not let other pages play it.",
        )
    return Audio(notice="No audio was kept for this recording.")


def name_of(media_id: str) -> str:
    """The name of the background work that makes the copy."""
    return f"copy {media_id}"


def copy_is_made(media: Media, path: Path) -> None:
    """Starts to make the playable copy and shows its state. Reruns the page when it is ready."""
    problem = f"copy-problem-{media.id}"
    background, name = services().background, name_of(media.id)
    if error := background.take_error(name):
        st.session_state[problem] = words(error)
    if problem not in st.session_state:
        background.start(name, lambda: playable.make_copy(path))
        st.fragment(_wait, run_every=_LOOK_S)(name)
        return
    st.warning(
        f"The recording cannot be played here. {st.session_state[problem]}",
        icon=":material/volume_off:",
    )
    if st.button("Try again", key="copy-again"):
        del st.session_state[problem]
        st.rerun()


def _wait(name: str) -> None:
    if not services().background.is_running(name):
        st.rerun()
    st.status("Making a copy that browsers can play…", state="running")
