"""Where the library lies: recordings, what was found in them, and their audio.

One protocol with two implementations: SQLite in a local folder (`sqlite`), and Supabase
(`supabase`). Both keep two tables: `media`, what is known about a recording, and `analysis`,
what the API made of it together with what was asked and what the user changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

State = Literal["waiting", "active", "completed", "failed", "cancelled"]
Source = Literal["file", "url", "microphone", "live"]
SentimentLabel = Literal["positive", "neutral", "negative"]
Sort = Literal["created_at", "title", "duration_s", "relevance"]

STATES: tuple[State, ...] = get_args(State)
UNFINISHED: tuple[State, ...] = ("waiting", "active")
SENTIMENTS: tuple[SentimentLabel, ...] = get_args(SentimentLabel)

Json = dict[str, Any]


class StoreError(Exception):
    """The store cannot do what was asked; the message is a sentence for the user, `advice` says
    what to do about it, `retryable` whether it may work later as it stands."""

    def __init__(self, message: str, advice: str = "", *, retryable: bool = False) -> None:
        super().__init__(message)
        self.advice = advice
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Media:
    """A recording as a row of `media`. `source_name` is a file's name or a URL, `job_id` the API's
    job while there is one; `error` is a code and `message` a sentence, for a failed one."""

    id: str
    title: str
    created_at: datetime
    source: Source
    source_name: str
    size_bytes: int | None = None
    duration_s: float | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    state: State = "waiting"
    job_id: str | None = None
    error: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class ActionItem:
    """Something to be done, as the user keeps it. `evidence` are ids of segments."""

    text: str
    owner: str | None = None
    due: str | None = None
    done: bool = False
    evidence: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """What came of a recording, as a row of `analysis`.

    `request` holds the options that were asked for, `response` the API's answer just as it came,
    None until there is one. `insights` are those shown now: the answer's, or newer ones.
    `edits` are texts that the user gave to segments, by the segment's id; `speakers` are names for
    the speakers of the answer. `response` and its text are never changed.
    """

    media_id: str
    request: Json
    response: Json | None = None
    insights: Json | None = None
    edits: Mapping[int, str] = field(default_factory=dict)
    speakers: Mapping[str, str] = field(default_factory=dict)
    action_items: tuple[ActionItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """What the library shows. Every word of `text` must occur in the title or the transcript, as it
    is or as the beginning of a word. Empty tuples let everything through; of `tags` and of `topics`
    one is enough. `relevance` sorts by date where there is no text."""

    text: str = ""
    languages: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    sentiments: tuple[SentimentLabel, ...] = ()
    tags: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    sort: Sort = "created_at"
    descending: bool = True
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the library. `excerpt` is where the text was found, with `MARK_START` and
    `MARK_END` around each hit; None without a search or when only the title has it."""

    media: Media
    topics: tuple[str, ...] = ()
    sentiment: SentimentLabel | None = None
    sentiment_score: float | None = None
    excerpt: str | None = None


MARK_START, MARK_END = "\ue000", "\ue001"
"""Private characters that no transcript has, so that a page can escape a text before it marks."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows, and how many match in all."""

    rows: tuple[Row, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Facets:
    """What there is to filter by, the most frequent first."""

    languages: tuple[str, ...]
    tags: tuple[str, ...]
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Week:
    """Completed recordings of one week, which is named by its Monday (UTC)."""

    monday: date
    recordings: int
    duration_s: float
    positive: int
    neutral: int
    negative: int


@dataclass(frozen=True, slots=True)
class TopicInWeek:
    topic: str
    monday: date
    recordings: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Totals over completed recordings. `topics` are the most frequent ones, week by week."""

    recordings: int
    duration_s: float
    weeks: tuple[Week, ...]
    topics: tuple[TopicInWeek, ...]
    languages: tuple[tuple[str, int], ...]
    open_items: int
    done_items: int


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An action item that is not done; `index` is its place in the analysis."""

    media_id: str
    media_title: str
    created_at: datetime
    index: int
    item: ActionItem


class Store(Protocol):
    """The library of one user. Every method blocks, may be called from any thread, and raises
    StoreError. Ids that do not exist are passed over by methods that change or delete."""

    def add(self, media: Media, request: Json) -> None:
        """A new recording and what is asked for it. Adding an id again changes nothing."""

    def media(self, media_id: str) -> Media | None: ...

    def analysis(self, media_id: str) -> Analysis | None: ...

    def update_media(self, media_id: str, **changes: Any) -> None:
        """Set fields of `Media`, but for its id."""

    def complete(self, media_id: str, response: Json) -> None:
        """Keep the API's answer, and all that follows from it: state, duration, language, insights,
        action items, the text to be searched. A title that is still that of the source gives way
        to the one that the insights suggest. May be called again with the same answer."""

    def update_analysis(self, media_id: str, **changes: Any) -> None:
        """Set `insights`, `edits`, `speakers` or `action_items`, and what is derived from them."""

    def search(self, query: Query) -> Page: ...

    def facets(self) -> Facets: ...

    def unfinished(self) -> list[Media]:
        """Recordings that wait or are at work, oldest first."""

    def tag(self, media_ids: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> None: ...

    def delete(self, media_ids: Sequence[str]) -> None:
        """Recordings with their analyses and their audio."""

    def overview(self, since: date | None, topics: int = 8) -> Overview: ...

    def open_items(self, limit: int = 100) -> list[OpenItem]:
        """Of the newest recordings first."""

    def keep_audio(self, media_id: str, path: Path) -> None:
        """Take over the file at `path`, which is gone afterwards."""

    def audio(self, media_id: str) -> Path | str | None:
        """The recording's audio: a local file, a URL that is good for an hour at least, or None."""
