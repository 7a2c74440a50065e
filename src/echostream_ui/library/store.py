"""The storage of the library: recordings, their analyses and their audio.

One protocol with two implementations: SQLite in a local folder (`sqlite`), and Supabase
(`supabase`). Both have the same tables: `media` holds facts about a recording; `analysis` holds the
options of its request, the API's answer and the user's changes; `version` what `analysis` held
before the recording was transcribed again; `preset` options that users keep under a name;
`folder` and `saved_filter` the order that they made in the library.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from echostream_ui.library.folders import Folders, SavedFilters

State = Literal["waiting", "active", "completed", "failed", "cancelled"]
Source = Literal["file", "url", "microphone", "live"]
SentimentLabel = Literal["positive", "neutral", "negative"]
Sort = Literal["created_at", "title", "duration_s", "relevance", "deleted_at"]

STATES: tuple[State, ...] = get_args(State)
UNFINISHED: tuple[State, ...] = ("waiting", "active")
SENTIMENTS: tuple[SentimentLabel, ...] = get_args(SentimentLabel)
BIN_DAYS = 30
"""How long a recording stays in the bin."""
SHOWN_MATCHES = 3
"""Matches of a recording that a search gives; `Store.matches` gives all."""

Json = dict[str, Any]


class StoreError(Exception):
    """The store could not do what was asked. The message is a sentence for the user, `advice` says
    what to do about it, and `retryable` whether the same call may succeed later."""

    def __init__(self, message: str, advice: str = "", *, retryable: bool = False) -> None:
        super().__init__(message)
        self.advice = advice
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Media:
    """A recording: a row of `media`. `source_name` is a file name or a URL, `job_id` the API's job
    while there is one. If the recording failed, `error` is a code and `message` a sentence.
    `folder` is a folder's id. A recording with `deleted_at` is in the bin. `sha256` is the digest
    of the audio as it was added, in hexadecimal; None if it is not known."""

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
    folder: str | None = None
    deleted_at: datetime | None = None
    sha256: str | None = None


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


NO_FOLDER = ""
"""In a query: recordings that are in no folder."""


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


MARK_START, MARK_END = "\ue000", "\ue001"
"""Private-use characters, which no transcript has: a page can escape the text, then mark hits."""


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


@dataclass(frozen=True, slots=True)
class Week:
    """Completed recordings of one week, given by its Monday (UTC)."""

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
    """An action item that is not done. `index` is its position in the analysis."""

    media_id: str
    media_title: str
    created_at: datetime
    index: int
    item: ActionItem


@dataclass(frozen=True, slots=True)
class Preset:
    """Options of a request, under the names of the API, that the user keeps under a name."""

    name: str
    options: Json


@dataclass(frozen=True, slots=True)
class Version:
    """Earlier results of a recording, in short. `edits` is the number of lines that the user had
    changed."""

    id: str
    replaced_at: datetime
    engine: str | None
    model: str | None
    edits: int


class Presets(Protocol):
    """The presets of one user. Methods block and may raise StoreError, as `Store`'s do."""

    def all(self) -> list[Preset]:
        """Returns the presets, the last used one first."""

    def keep(self, name: str, options: Json) -> None:
        """Saves a preset, in place of another of this name. It becomes the last used one."""

    def delete(self, name: str) -> None: ...


class Versions(Protocol):
    """Earlier results of recordings. Methods block and may raise StoreError, as `Store`'s do."""

    def all(self, media_id: str) -> list[Version]:
        """Returns the versions of a recording, the one that was replaced last first."""

    def read(self, media_id: str, version_id: str) -> Analysis | None: ...

    def replace(self, after: Analysis, version_id: str | None = None) -> None:
        """Puts results in the place of a completed recording's present ones, which become a
        version; both or neither. `version_id` is the version that `after` was, which goes. Title,
        tags, bookmarks and audio stay."""


@dataclass(frozen=True, slots=True)
class KnownVoice:
    """How somebody sounds, whom the user wanted to be known again. `voice` is that of a speaker of
    an answer, from so many seconds of speech; their recording may be gone since."""

    name: str
    voice: str
    seconds: float
    media_id: str
    speaker: str
    created_at: datetime


class Voices(Protocol):
    """Voices that are known by name. Methods behave like those of `Store`."""

    def known(self) -> list[KnownVoice]:
        """Returns them by name, each name's oldest first."""

    def remember(self, voice: KnownVoice) -> None:
        """Keeps a voice, instead of what was kept of the same speaker of its recording."""

    def forget(self, media_id: str, speaker: str) -> None:
        """Forgets what is kept of a recording's speaker."""

    def forget_names(self, names: Collection[str]) -> None:
        """Forgets all voices of these names, and that they were refused anywhere."""

    def forget_all(self) -> None:
        """Forgets everything about voices."""

    def refused(self, media_id: str) -> frozenset[tuple[str, str]]:
        """Returns the speakers of a recording with the names that the user refused for them."""

    def refuse(self, media_id: str, speaker: str, name: str) -> None: ...


class Store(Protocol):
    """The library of one user. Every method blocks, may be called from any thread, and may raise
    StoreError. Methods that change or delete ignore ids that do not exist. What is in the bin is
    still found by its id, and otherwise only where that is said."""

    @property
    def folders(self) -> Folders: ...

    @property
    def filters(self) -> SavedFilters: ...

    @property
    def presets(self) -> Presets: ...

    @property
    def versions(self) -> Versions: ...

    @property
    def voices(self) -> Voices | None:
        """None if this library knows no voices, because it would have to send them away."""

    def add(self, media: Media, request: Json) -> None:
        """Adds a recording with the options of its request. Adding an id again changes nothing."""

    def media(self, media_id: str) -> Media | None: ...

    def analysis(self, media_id: str) -> Analysis | None: ...

    def update_media(self, media_id: str, **changes: Any) -> None:
        """Sets fields of `Media` other than its id."""

    def complete(self, media_id: str, response: Json) -> None:
        """Saves the API's answer and what follows from it: state, duration, language, insights,
        action items and the searchable text. If the title is still the source's name, the title
        that a language model suggests replaces it. May be called again with the same answer."""

    def update_analysis(self, media_id: str, **changes: Any) -> None:
        """Sets fields of `Analysis` other than its id and `response`, and what is derived from
        them."""

    def search(self, query: Query) -> Page: ...

    def matches(self, media_id: str, text: str) -> tuple[Match, ...]:
        """Returns the lines of a recording in which words of `text` occur, in order of time. The
        recording is one that a search for `text` finds. A thousand lines are enough."""

    def facets(self) -> Facets: ...

    def unfinished(self) -> list[Media]:
        """Returns the recordings that are waiting or active, oldest first."""

    def tag(self, media_ids: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> None: ...

    def to_bin(self, media_ids: Sequence[str]) -> None:
        """Those that are in the bin already stay there as they are."""

    def restore(self, media_ids: Sequence[str]) -> None:
        """Takes recordings out of the bin."""

    def in_bin_since(self, moment: datetime) -> list[str]:
        """Returns the ids of recordings that have been in the bin at least since then."""

    def delete(self, media_ids: Sequence[str]) -> None:
        """Deletes recordings for good, with their analyses and audio."""

    def overview(self, since: date | None, topics: int = 8) -> Overview: ...

    def open_items(self, limit: int = 100) -> list[OpenItem]:
        """Returns the open action items, those of the newest recordings first."""

    def keep_audio(self, media_id: str, path: Path) -> None:
        """Moves the file at `path` into the library; it is gone from `path` afterwards."""

    def audio(self, media_id: str) -> Path | str | None:
        """Returns the audio: a local file, a URL valid for at least an hour, or None."""

    def same_audio(self, sha256: str, size_bytes: int) -> Media | None:
        """Returns the newest recording with this audio, None if there is none. Recordings whose
        digest is not known yet get theirs now, from the stored audio, if that is as large."""
