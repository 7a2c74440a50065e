"""Searching the library: the question, and the rows that answer it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal, get_args

from echostream.domain import SentimentLabel
from echostream_ui.library.media import Media, State

Sort = Literal["created_at", "title", "duration_s", "relevance", "deleted_at"]

SENTIMENTS: tuple[SentimentLabel, ...] = get_args(SentimentLabel)
SHOWN_MATCHES = 3
"""Matches of a recording that a search gives; `Store.matches` gives all."""
NO_FOLDER = ""
"""In a query: recordings that are in no folder."""
MARK_START, MARK_END = "\ue000", "\ue001"
"""Private-use characters, which no transcript has: a page can escape the text, then mark hits."""


@dataclass(frozen=True, slots=True)
class Query:
    """The library's search and filters. Every word of `text` must occur in the title, the
    source's name or the transcript, in full or as the beginning of a word. An empty tuple does not
    filter; one matching tag or topic is enough. `folder` is an id, `NO_FOLDER`, or None for all.
    `since` and `until` are the first and the last day, in `timezone`. Without `text`, `relevance`
    sorts by date. What is in the bin is found only if `in_bin`, and then nothing else is."""

    text: str = ""
    languages: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    sentiments: tuple[SentimentLabel, ...] = ()
    tags: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    folder: str | None = None
    since: date | None = None
    until: date | None = None
    timezone: tzinfo = UTC
    in_bin: bool = False
    sort: Sort = "created_at"
    descending: bool = True
    limit: int = 50
    offset: int = 0

    @property
    def begin(self) -> datetime | None:
        """The first moment of `since`."""
        return self._midnight(self.since) if self.since else None

    @property
    def end(self) -> datetime | None:
        """The first moment after `until`."""
        return self._midnight(self.until + timedelta(days=1)) if self.until else None

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.timezone)


@dataclass(frozen=True, slots=True)
class Match:
    """A line of a transcript in which words were found, with `MARK_START` and `MARK_END` around
    each. `start_s` is when the line begins."""

    start_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the library's list. `matches` are some lines that match the search, in order of
    time, those with the most different words of it; `all_matches` is how many there are. A search
    finds none of them if only the title or the source's name matches."""

    media: Media
    topics: tuple[str, ...] = ()
    sentiment: SentimentLabel | None = None
    sentiment_score: float | None = None
    matches: tuple[Match, ...] = ()
    all_matches: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows, and the total number of matches."""

    rows: tuple[Row, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The values to filter by, the most frequent first."""

    languages: tuple[str, ...]
    tags: tuple[str, ...]
    topics: tuple[str, ...]
