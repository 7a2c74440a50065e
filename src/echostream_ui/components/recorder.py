"""The window's live recording: as the *Live* page shows it, and as a bar above all other pages."""

from collections.abc import Callable
from dataclasses import dataclass

from echostream_ui.components.player import component

_SCRIPTS = ("telling", "link", "sound", "recording")


@dataclass(frozen=True, slots=True)
class News:
    """What happened since the last run. `has_ended`: a recording has, with `ended_id` if there is
    something of it."""

    has_ended: bool = False
    ended_id: str | None = None


def recorder(key: str) -> None:
    """Shows buttons, the time and level, the text as it grows, bookmarks, and insights so far."""
    component("recorder", *_SCRIPTS, "live_text", "live_lists")(key=key)


def recording_bar(
    key: str,
    ticket: str | None,
    *,
    is_here: bool,
    is_allowed: bool,
    on_start: Callable[[], None],
) -> News:
    """Shows that a recording goes on, unless the page itself does (`is_here`), and keeps it in
    touch with this server. `on_start` is called when the microphone is on: the recording needs
    `ticket`, passed in from then on, to reach the server. It ends if it is not `is_allowed`."""
    found = component("recording_bar", *_SCRIPTS, "pages")(
        key=key,
        data={"ticket": ticket, "isHere": is_here, "isAllowed": is_allowed},
        on_start_change=on_start,
        on_ended_change=lambda: None,
    )
    ended = found.ended
    return News(ended is not None, ended["id"] if ended else None)
