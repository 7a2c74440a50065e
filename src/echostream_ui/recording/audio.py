"""The source of a recording's audio for the player, and the copy that browsers can play."""

from pathlib import Path

import streamlit as st

from echostream_ui.components.player import Sound
from echostream_ui.library import playable
from echostream_ui.library.media import Media
from echostream_ui.library.store import Store
from echostream_ui.services import services
from echostream_ui.words.problems import words
from echostream_ui.words.wording import sentences

_LOOK_S = 1.0


_UNPLAYABLE = "This browser cannot play the recording. Try another browser."
_MOVED = (
    "The recording cannot be played from its address: it may have moved, or its site does not let"
    " other pages play it."
)


def sound_of(store: Store, media: Media) -> Sound | Path:
    """Returns what the player plays, or the file of which a playable copy must be made first."""
    found = store.audio(media.id)
    if isinstance(found, Path):
        if playable.needs_copy(found, media.source):
            return found
        played = playable.served(found)
        # The copy has its own URL, so that no browser uses the original from its cache.
        version = "copy" if played != found else ""
        query = "&".join(filter(None, (version, services().route_query(media.id))))
        is_video = (playable.media_type_of(played) or "").startswith("video/")
        url = f"audio/{media.id}?{query}" if query else f"audio/{media.id}"
        return Sound(url, None, _UNPLAYABLE, is_video)
    if found is not None:
        return Sound(found, None, _UNPLAYABLE)
    if media.source == "url":
        return Sound(media.source_name, None, _MOVED)
    return Sound(None, "No audio was kept for this recording.", _UNPLAYABLE)


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
        f"The recording cannot be played here. {sentences(st.session_state[problem])}",
        icon=":material/volume_off:",
    )
    if st.button("Try again", key="copy-again"):
        del st.session_state[problem]
        st.rerun()


def _wait(name: str) -> None:
    if not services().background.is_running(name):
        st.rerun()
    st.status("Making a copy that browsers can play…", state="running")
