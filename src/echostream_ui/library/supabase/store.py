"""The library in a Supabase project: tables, functions that use them, and a bucket with an audio
folder for each user. The `migrations` beside this file create them.

The database itself derives what follows from an answer or an edit (searchable text, topics,
sentiment), so that it is up to date however a row was changed.
"""

import mimetypes
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx

from echostream_ui.library.action_items import action_items_of
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.contents import digest_of_parts
from echostream_ui.library.media import Media
from echostream_ui.library.overview import OpenItem, Overview, TopicInWeek, Week
from echostream_ui.library.search import SHOWN_MATCHES, Facets, Match, Page, Query
from echostream_ui.library.store import StoreError
from echostream_ui.library.supabase.errors import FOREIGN, is_duplicate, is_missing_object
from echostream_ui.library.supabase.folders import SupabaseFolders, SupabaseSavedFilters
from echostream_ui.library.supabase.presets import SupabasePresets
from echostream_ui.library.supabase.rows import (
    ANALYSIS,
    MEDIA,
    action_item_of,
    analysis_of,
    matches_of,
    media_of,
    row_of,
    rows_of,
)
from echostream_ui.library.supabase.session import Access, Session
from echostream_ui.library.supabase.tables import Tables
from echostream_ui.library.supabase.versions import SupabaseVersions
from echostream_ui.library.transcript import title_of
from echostream_ui.library.values import Json

BUCKET = "audio"

_AT_ONCE = 100  # ids in a request's query; the length of a URL is limited
_SIGNED_FOR_S = 6 * 3600
_TIMEOUT_S = 60.0
_GIVEN_AGAIN_FOR_S = _SIGNED_FOR_S / 2


class SupabaseStore:
    """The `Store` of the signed-in user. Row level security hides other users' rows."""

    def __init__(self, session: Session) -> None:
        """Sends no request; `check` does."""
        self._session = session
        self._tables = Tables(session)
        self.folders = SupabaseFolders(self._tables)
        self.filters = SupabaseSavedFilters(self._tables)
        self.user_id, self.email = session.user_id, session.email
        self.presets = SupabasePresets(self._tables.call)
        self.versions = SupabaseVersions(self._tables.call)
        self._signed: dict[str, tuple[str, float]] = {}  # URLs of audio, and when they were signed

    @property
    def voices(self) -> None:
        """Voices tell people apart like fingerprints: none with a name leaves this machine."""
        return None

    @property
    def refresh_token(self) -> str:
        """The token for `Accounts.resume`. It works once and changes every hour."""
        return self._session.refresh_token

    def sign_out(self) -> None:
        """Ends this session, also for work that still uses it, but not the user's other ones."""
        self._session.sign_out()

    def check(self) -> None:
        """Raises StoreError if the project is not set up for the library."""
        self._tables.check()

    def add(self, media: Media, request: Json) -> None:
        recording = asdict(media) | {"created_at": media.created_at.isoformat()}
        self._tables.call("library_add", recording=recording, request=request)

    def media(self, media_id: str) -> Media | None:
        found = self._tables.select("media", MEDIA, "id", media_id)
        return media_of(found[0]) if found else None

    def analysis(self, media_id: str) -> Analysis | None:
        found = self._tables.select("analysis", ANALYSIS, "media_id", media_id)
        return analysis_of(found[0]) if found else None

    def update_media(self, media_id: str, **changes: Any) -> None:
        self._tables.update("media", "id", media_id, changes)

    def complete(self, media_id: str, response: Json) -> None:
        insights = response.get("insights")
        self._tables.call(
            "library_complete",
            of_media=media_id,
            answer=response,
            suggested_title=title_of(insights),
            found_items=[asdict(item) for item in action_items_of(insights)],
        )

    def update_analysis(self, media_id: str, **changes: Any) -> None:
        for name in ("action_items", "bookmarks"):
            if name in changes:
                changes[name] = [asdict(each) for each in changes[name]]
        self._tables.update("analysis", "media_id", media_id, changes)

    def search(self, query: Query) -> Page:
        found = self._tables.call(
            "library_search",
            search_text=query.text,
            of_languages=query.languages,
            of_states=query.states,
            of_sentiments=query.sentiments,
            of_tags=query.tags,
            of_topics=query.topics,
            in_folder=query.folder,
            begin_at=query.begin.isoformat() if query.begin else None,
            end_at=query.end.isoformat() if query.end else None,
            in_bin=query.in_bin,
            sort_by=query.sort,
            descending=query.descending,
            page_size=query.limit,
            skipped=query.offset,
            most_matches=SHOWN_MATCHES,
        )
        return Page(tuple(row_of(row) for row in found["rows"]), found["total"])

    def matches(self, media_id: str, text: str) -> tuple[Match, ...]:
        found = self._tables.call("library_lines", of_media=media_id, search_text=text)
        return matches_of(found)

    def facets(self) -> Facets:
        found = self._tables.call("library_facets")
        return Facets(**{field.name: tuple(found.get(field.name, ())) for field in fields(Facets)})

    def unfinished(self) -> list[Media]:
        def ask(access: Access) -> list[Json]:
            wanted = access.rest.from_("media").select(",".join(MEDIA))
            waiting = wanted.in_("state", ["waiting", "active"]).is_("deleted_at", "null")
            return rows_of(waiting.order("created_at").execute().data)

        return [media_of(row) for row in self._session.run(ask)]

    def tag(self, media_ids: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> None:
        self._tables.call("library_tag", of_media=media_ids, added=add, removed=remove)

    def to_bin(self, media_ids: Sequence[str]) -> None:
        self._tables.call("library_bin", of_media=media_ids, is_deleted=True)

    def restore(self, media_ids: Sequence[str]) -> None:
        self._tables.call("library_bin", of_media=media_ids, is_deleted=False)

    def in_bin_since(self, moment: datetime) -> list[str]:
        return list(self._tables.call("library_in_bin", until_moment=moment.isoformat()))

    def delete(self, media_ids: Sequence[str]) -> None:
        # Audio goes first: if this fails half-way, the row is still there for another try.
        for start in range(0, len(media_ids), _AT_ONCE):
            some = list(media_ids[start : start + _AT_ONCE])
            if names := self._audio_names(some):
                self._remove(names)
            self._tables.delete("media", "id", some)

    def overview(self, since: date | None, topics: int = 8) -> Overview:
        day = since.isoformat() if since else None
        found = self._tables.call("library_overview", since=day, topic_limit=topics)
        weeks = tuple(
            Week(**week | {"monday": date.fromisoformat(week["monday"])}) for week in found["weeks"]
        )
        return Overview(
            recordings=sum(week.recordings for week in weeks),
            duration_s=sum(week.duration_s for week in weeks),
            weeks=weeks,
            topics=tuple(
                TopicInWeek(topic, date.fromisoformat(monday), recordings)
                for topic, monday, recordings in found["topics"]
            ),
            languages=tuple((language, times) for language, times in found["languages"]),
            open_items=found["open_items"],
            done_items=found["done_items"],
        )

    def open_items(self, limit: int = 100) -> list[OpenItem]:
        return [
            OpenItem(
                media_id=row["media_id"],
                media_title=row["title"],
                created_at=datetime.fromisoformat(row["created_at"]),
                index=row["index"],
                item=action_item_of(row["item"]),
            )
            for row in self._tables.call("library_open_items", most=limit)
        ]

    def keep_audio(self, media_id: str, path: Path) -> None:
        kept = self._tables.select("media", ("audio_name",), "id", media_id)
        if kept:  # otherwise it has been deleted meanwhile
            suffix = path.suffix.lower() if re.fullmatch(r"\.\w{1,8}", path.suffix, re.A) else ""
            name, old = f"{media_id}{suffix}", kept[0]["audio_name"]
            self._upload(name, path)
            self._signed.pop(name, None)
            self._tables.update("media", "id", media_id, {"audio_name": name})
            if old not in (None, name):
                self._remove([old])
        path.unlink(missing_ok=True)

    def audio(self, media_id: str) -> str | None:
        """Gives the same URL for hours: a player begins again when it gets another one."""
        names = self._audio_names([media_id])
        if not names:
            return None
        now_s = time.monotonic()
        url, signed_s = self._signed.get(names[0], (None, 0.0))
        if url is None or now_s - signed_s > _GIVEN_AGAIN_FOR_S:
            url = self._signed_url(names[0])
            if url is not None:
                self._signed[names[0]] = url, now_s
        return url

    def same_audio(self, sha256: str, size_bytes: int) -> Media | None:
        """Does not look at live recordings of before digests were kept: their size is not that of
        their audio."""
        for media_id in self._tables.call("library_without_digest", of_size=size_bytes):
            if (url := self.audio(media_id)) is not None:
                self.update_media(media_id, sha256=self._digest_of(url))
        found = self._tables.call("library_same_audio", digest=sha256)
        return self.media(found[0]) if found else None

    def _digest_of(self, url: str) -> str:
        def ask(_access: Access) -> str:
            with httpx.stream("GET", url, timeout=_TIMEOUT_S, follow_redirects=True) as audio:
                audio.raise_for_status()
                return digest_of_parts(audio.iter_bytes())

        return self._session.run(ask)

    def _signed_url(self, name: str) -> str | None:
        def ask(access: Access) -> str | None:
            bucket = access.storage.from_(BUCKET)
            try:
                return bucket.create_signed_url(self._object(name), _SIGNED_FOR_S)["signedUrl"]
            except FOREIGN as error:
                if is_missing_object(error):
                    return None
                raise

        return self._session.run(ask)

    def _object(self, name: str) -> str:
        return f"{self.user_id}/{name}"

    def _audio_names(self, media_ids: Sequence[str]) -> list[str]:
        def ask(access: Access) -> list[Json]:
            wanted = access.rest.from_("media").select("audio_name")
            return rows_of(wanted.in_("id", media_ids).execute().data)

        return [row["audio_name"] for row in self._session.run(ask) if row["audio_name"]]

    def _upload(self, name: str, path: Path) -> None:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        place = self._object(name)

        def ask(access: Access) -> None:
            bucket = access.storage.from_(BUCKET)
            try:
                bucket.upload(place, path, {"content-type": kind})
            except FOREIGN as error:
                if not is_duplicate(error):
                    raise
                # It is there from an earlier try whose answer was lost.
                bucket.update(place, path, {"content-type": kind})

        try:
            self._session.run(ask)
        except OSError as error:
            raise StoreError(f"The audio cannot be read: {error.strerror or error}.") from error

    def _remove(self, names: Sequence[str]) -> None:
        places = [self._object(name) for name in names]
        self._session.run(lambda access: access.storage.from_(BUCKET).remove(places))
