"""A recording to try in an empty library: a made-up meeting of a minute."""

from pathlib import Path

import streamlit as st

from echostream_ui.api_client import Options
from echostream_ui.components.going import go
from echostream_ui.library.store import Store, StoreError
from echostream_ui.recording.told import told
from echostream_ui.services import services

_HERE = Path(__file__).parent.parent
# In the package that is installed, and in a checkout.
_PLACES = (_HERE / "samples" / "meeting.wav", _HERE.parent.parent / "samples" / "meeting.wav")
TITLE = "Sample: a meeting about a launch"


@told
def offer(store: Store) -> None:
    """Shows a button that adds the sample and opens its page. Without the file there is none."""
    path = next((place for place in _PLACES if place.is_file()), None)
    if path is None or not st.button("Try a sample recording", icon=":material/graphic_eq:"):
        return
    try:
        with path.open("rb") as audio:
            media_id = services().intake.add_file(
                store, path.name, audio, Options().as_json(), title=TITLE, again=True
            )
    except OSError as error:
        raise StoreError(f"The sample cannot be added: {error.strerror or error}.") from error
    go("recording", id=media_id)
