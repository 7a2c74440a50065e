"""The library in a Supabase project: its tables, functions that use them, and a bucket with an
audio folder for each user. The `migrations` beside this file create them.

The database itself derives what follows from an answer or an edit (searchable text, topics,
sentiment), so that it is up to date however a row was changed.
"""

import mimetypes
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

from echostream_ui.library.action_items import action_items_of
from echostream_ui.library.store import (
    Analysis,
    Facets,
    Json,
    Media,
    OpenItem,
    Overview,
    Page,
    Query,
    StoreError,
    TopicInWeek,
    Week,
)
from echostream_ui.library.supabase.errors import (
    FOREIGN,
    MIGRATE,
    bucket_missing,
    grant_missing,
    is_duplicate,
    is_missing_object,
    policy_missing,
)
from echostream_ui.library.supabase.presets import SupabasePresets
from echostream_ui.library.supabase.rows import (
    ANALYSIS,
    MEDIA,
    action_item_of,
    analysis_of,
    media_of,
    row_of,
    rows_of,
)
from echostream_ui.library.supabase.session import Access, Session
from echostream_ui.library.supabase.versions import SupabaseVersions
from echostream_ui.library.transcript import title_of
from echostream_ui.library.values import storable

BUCKET = "audio"

_AT_ONCE = 100  # ids in a request's query; the length of a URL is limited
_SIGNED_FOR_S = 6 * 3600
_GIVEN_AGAIN_FOR_S = _SIGNED_FOR_S / 2


class SupabaseStore:
    """The `Store` of the signed-in user. Row level security hides other users' rows."""

    def __init__(self, session: Session) -> None:
        """Sends no request; `check` does."""
        self._session = session
        self.user_id, self.email = session.user_id, session.email
        self.presets = SupabasePresets(self._call)
        self.versions = SupabaseVersions(self._call)
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
        """Raises StoreError if the project is not set up for the library. Without this check, a
        missing policy would only look like missing rows."""
        found = self._call("library_check")
        if found["unprotected"]:
            raise StoreError(
                "The Supabase project is open: row level security is off for"
                f" {_listed(found['unprotected'])}, so that all users see everything.",
                MIGRATE,
            )
        if found["grants"]:
            raise grant_missing(_listed(found["grants"]))
        if found["policies"]:
            raise policy_missing(_listed(found["policies"]))
        if not found["bucket"]:
            raise bucket_missing()
        if found["bucket"]["public"]:
            raise StoreError(
                "The Supabase project is open: its bucket for audio is public.", MIGRATE
            )

    def add(self, media: Media, request: Json) -> None:
        recording = asdict(media) | {"created_at": media.created_at.isoformat()}
        self._call("library_add", recording=recording, request=request)

    def media(self, media_id: str) -> Media | None:
        found = self._select("media", MEDIA, "id", media_id)
        return media_of(found[0]) if found else None

    def analysis(self, media_id: str) -> Analysis | None:
        found = self._select("analysis", ANALYSIS, "media_id", media_id)
        return analysis_of(found[0]) if found else None

    def update_media(self, media_id: str, **changes: Any) -> None:
        self._update("media", "id", media_id, changes)

    def complete(self, media_id: str, response: Json) -> None:
        insights = response.get("insights")
        self._call(
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
        self._update("analysis", "media_id", media_id, changes)

    def search(self, query: Query) -> Page:
        found = self._call(
            "library_search",
            search_text=query.text,
            of_languages=query.languages,
            of_states=query.states,
            of_sentiments=query.sentiments,
            of_tags=query.tags,
            of_topics=query.topics,
            since=query.since.isoformat() if query.since else None,
            until=query.until.isoformat() if query.until else None,
            sort_by=query.sort,
            descending=query.descending,
            page_size=query.limit,
            skipped=query.offset,
        )
        return Page(tuple(row_of(row) for row in found["rows"]), found["total"])

    def facets(self) -> Facets:
        found = self._call("library_facets")
        return Facets(**{field.name: tuple(found.get(field.name, ())) for field in fields(Facets)})

    def unfinished(self) -> list[Media]:
        def ask(access: Access) -> list[Json]:
            wanted = access.rest.from_("media").select(",".join(MEDIA))
            waiting = wanted.in_("state", ["waiting", "active"])
            return rows_of(waiting.order("created_at").execute().data)

        return [media_of(row) for row in self._session.run(ask)]

    def tag(self, media_ids: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> None:
        self._call("library_tag", of_media=media_ids, added=add, removed=remove)

    def delete(self, media_ids: Sequence[str]) -> None:
        # Audio goes first: if this fails half-way, the row is still there for another try.
        for some in _in_batches(media_ids):
            if names := self._audio_names(some):
                self._remove(names)

            def ask(access: Access, some: Sequence[str] = some) -> list[Json]:
                return rows_of(access.rest.from_("media").delete().in_("id", some).execute().data)

            if len(self._session.run(ask)) < len(some):
                self.check()

    def overview(self, since: date | None, topics: int = 8) -> Overview:
        day = since.isoformat() if since else None
        found = self._call("library_overview", since=day, topic_limit=topics)
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
            for row in self._call("library_open_items", most=limit)
        ]

    def keep_audio(self, media_id: str, path: Path) -> None:
        kept = self._select("media", ("audio_name",), "id", media_id)
        if kept:  # otherwise it has been deleted meanwhile
            suffix = path.suffix.lower() if re.fullmatch(r"\.\w{1,8}", path.suffix, re.A) else ""
            name, old = f"{media_id}{suffix}", kept[0]["audio_name"]
            self._upload(name, path)
            self._signed.pop(name, None)
            self._update("media", "id", media_id, {"audio_name": name})
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

    def _select(self, table: str, columns: Sequence[str], key: str, value: str) -> list[Json]:
        def ask(access: Access) -> list[Json]:
            wanted = access.rest.from_(table).select(",".join(columns))
            return rows_of(wanted.eq(key, value).execute().data)

        return self._session.run(ask)

    def _update(self, table: str, key: str, value: str, changes: Json) -> None:
        def ask(access: Access) -> list[Json]:
            update = access.rest.from_(table).update(storable(changes))
            return rows_of(update.eq(key, value).select(key).execute().data)

        if changes and not self._session.run(ask):
            self.check()  # nothing changed: the row does not exist, or a policy hides it

    def _call(self, function: str, **arguments: Any) -> Any:
        """Returns the result of a database function that the migrations define."""

        def ask(access: Access) -> Any:
            found = access.rest.rpc(function, storable(arguments)).execute().data
            if isinstance(found, str) and found:
                raise ValueError("the answer is not JSON")
            return found

        return self._session.run(ask)


def _in_batches(media_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(media_ids), _AT_ONCE):
        yield list(media_ids[start : start + _AT_ONCE])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
