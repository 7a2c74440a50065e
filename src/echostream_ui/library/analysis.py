"""The results of a recording: the API's answer, and what the user changed of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from echostream_ui.library.values import Json


@dataclass(frozen=True, slots=True)
class ActionItem:
    """A task, with the user's changes. `evidence` holds ids of segments. `due_date` (ISO) is the
    day that the API understood `due` to be, or that the user chose. `found` is the text that the
    insights gave it, None if it still has that one or if the user added the item."""

    text: str
    owner: str | None = None
    due: str | None = None
    done: bool = False
    evidence: tuple[int, ...] = ()
    due_date: str | None = None
    found: str | None = None


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A place that the user marked, in seconds from the start of the audio."""

    at_s: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The results of a recording: a row of `analysis`.

    `request` holds the options of the request, `response` the API's unchanged answer, or None until
    there is one. `insights` are the ones to show: the answer's, or newer ones, whose template and
    language `request` then has, and which hold the user's names of that time in `speakers`. `edits`
    are the user's texts for segments, by segment id. `speakers` are the user's names for speakers,
    by the id of the speaker; `line_speakers` are the ids of those to whom the user gave segments,
    by segment id: speakers of the answer, or new ones. `bookmarks` are in order of time. `response`
    is never changed.
    """

    media_id: str
    request: Json
    response: Json | None = None
    insights: Json | None = None
    edits: Mapping[int, str] = field(default_factory=dict)
    speakers: Mapping[str, str] = field(default_factory=dict)
    action_items: tuple[ActionItem, ...] = ()
    line_speakers: Mapping[int, str] = field(default_factory=dict)
    bookmarks: tuple[Bookmark, ...] = ()
