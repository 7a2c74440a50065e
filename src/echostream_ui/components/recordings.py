"""The library's list of recordings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from echostream_ui.components.player import component
from echostream_ui.library.store import Json


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as it is shown. `excerpt` has parts of the text, each with whether it is what was
    searched for; the recording is opened at `query`. `source` is the source's name if it is not
    the title."""

    id: str
    title: str
    source: str | None
    date: str
    length: str
    language: str
    topics: tuple[str, ...]
    sentiment: str
    tags: tuple[str, ...]
    state: str
    is_done: bool
    excerpt: tuple[tuple[str, bool], ...] = ()
    query: str = ""

    def as_json(self) -> Json:
        row = asdict(self)
        return row | {"isDone": row.pop("is_done")}


def recordings(rows: Sequence[Shown], *, key: str) -> tuple[Json | None, list[str]]:
    """Shows the rows, with a link and a box to select each. Returns the one to open, if there is
    one, by its `id` and its `query`, and the ids of those that are selected."""
    found = component("recordings")(
        key=key,
        data={"rows": [row.as_json() for row in rows]},
        default={"selected": []},
        on_selected_change=lambda: None,
        on_open_change=lambda: None,
    )
    return found.open, list(found.selected or ())
