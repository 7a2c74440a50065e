"""The storage of the library: recordings, their analyses and their audio.

One protocol with two implementations: SQLite in a local folder (`sqlite`), and Supabase
(`supabase`). Both have the same tables: `media` holds facts about a recording; `analysis` holds the
options of its request, the API's answer and the user's changes; `version` what `analysis` held
before the recording was transcribed again; `preset` options that users keep under a name;
`folder` and `saved_filter` the order that they made in the library.
"""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.folders import Folders, SavedFilters
from echostream_ui.library.media import Media
from echostream_ui.library.overview import OpenItem, Overview
from echostream_ui.library.presets import Presets
from echostream_ui.library.search import Facets, Match, Page, Query
from echostream_ui.library.values import Json
from echostream_ui.library.versions import Versions
from echostream_ui.library.voices import Voices


class StoreError(Exception):
    """The store could not do what was asked. The message is a sentence for the user, `advice` says
    what to do about it, and `retryable` whether the same call may succeed later."""

    def __init__(self, message: str, advice: str = "", *, retryable: bool = False) -> None:
        super().__init__(message)
        self.advice = advice
        self.retryable = retryable


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
        """Moves recordings to the bin. Those that are already there stay as they are."""

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
