"""The library in a local folder: a SQLite database, and an audio file for each recording."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from echostream.private_files import make_private_folder
from echostream_ui.library.action_items import action_items_of
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.contents import digest_of
from echostream_ui.library.media import Media
from echostream_ui.library.overview import OpenItem, Overview
from echostream_ui.library.search import Facets, Match, Page, Query
from echostream_ui.library.sqlite.database import Database, translated, update
from echostream_ui.library.sqlite.folders import SqliteFolders, SqliteSavedFilters
from echostream_ui.library.sqlite.overview import open_items, overview
from echostream_ui.library.sqlite.presets import SqlitePresets
from echostream_ui.library.sqlite.rows import (
    MEDIA,
    analysis_columns,
    analysis_of,
    media_columns,
    media_of,
    moment_column,
)
from echostream_ui.library.sqlite.search import (
    ITS_ROW,
    index,
    index_text,
    keep_line_starts,
    matches,
    search,
)
from echostream_ui.library.sqlite.shares import Shares
from echostream_ui.library.sqlite.versions import SqliteVersions
from echostream_ui.library.sqlite.voices import SqliteVoices
from echostream_ui.library.sqlite.watched import WatchedFiles
from echostream_ui.library.transcript import text_of, title_of
from echostream_ui.library.values import Json, storable


class SqliteStore:
    """A `Store` in a folder. One connection serves all threads, one at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises StoreError if the folder cannot be used."""
        self._audio = folder / "audio"
        self._make_folder()
        self._db = Database(folder / "library.db")
        self.folders = SqliteFolders(self._db)
        self.filters = SqliteSavedFilters(self._db)
        self.presets = SqlitePresets(self._db)
        self.versions = SqliteVersions(self._db)
        self.watched = WatchedFiles(self._db)
        self.shares = Shares(self._db)
        self.voices = SqliteVoices(self._db)

    @translated
    def _make_folder(self) -> None:
        make_private_folder(self._audio)

    def close(self) -> None:
        self._db.close()

    @translated
    def add(self, media: Media, request: Json) -> None:
        row = media_columns(asdict(media))
        names = ", ".join(row)
        places = ", ".join(f":{name}" for name in row)
        with self._db.transaction() as db:
            added = db.execute(f"INSERT OR IGNORE INTO media ({names}) VALUES ({places})", row)
            if added.rowcount:
                sql = "INSERT INTO analysis (media_id, request) VALUES (?, ?)"
                db.execute(sql, (media.id, json.dumps(request)))
                index(db, media.id, row["title"], "")

    @translated
    def media(self, media_id: str) -> Media | None:
        found = self._db.rows(f"SELECT {MEDIA} FROM media WHERE id = ?", media_id)
        return media_of(found[0]) if found else None

    @translated
    def analysis(self, media_id: str) -> Analysis | None:
        found = self._db.rows("SELECT * FROM analysis WHERE media_id = ?", media_id)
        return analysis_of(found[0]) if found else None

    @translated
    def update_media(self, media_id: str, **changes: Any) -> None:
        changes = media_columns(changes)
        with self._db.transaction() as db:
            update(db, "media", "id", media_id, changes)
            if "title" in changes:
                sql = f"UPDATE search SET title = ? WHERE {ITS_ROW}"
                db.execute(sql, (changes["title"], media_id))

    @translated
    def complete(self, media_id: str, response: Json) -> None:
        media, analysis = self.media(media_id), self.analysis(media_id)
        if media is None or analysis is None:
            return
        response = storable(response)
        done: Json = {"state": "completed", "error": None, "message": None, "job_id": None}
        if analysis.response is not None:
            self.update_media(media_id, **done)
            return
        insights = response.get("insights")
        is_named = media.title != media.source_name
        title = media.title if is_named else title_of(insights) or media.title
        done |= {
            "title": title,
            "duration_s": response.get("duration"),
            "language": response.get("language"),
        }
        with self._db.transaction() as db:
            update(db, "media", "id", media_id, done)
            found = {"insights": insights, "action_items": action_items_of(insights)}
            columns = analysis_columns(found) | {
                "response": json.dumps(response, ensure_ascii=False)
            }
            update(db, "analysis", "media_id", media_id, columns)
            index(db, media_id, title, text_of(response, {}))
            keep_line_starts(db, media_id, response, {})

    @translated
    def update_analysis(self, media_id: str, **changes: Any) -> None:
        with self._db.transaction() as db:
            update(db, "analysis", "media_id", media_id, analysis_columns(changes))
            if "edits" not in changes:
                return
            row = db.execute("SELECT response FROM analysis WHERE media_id = ?", (media_id,))
            if found := row.fetchone():
                response = json.loads(found["response"] or "{}")
                index_text(db, media_id, response, changes["edits"])

    @translated
    def search(self, query: Query) -> Page:
        return search(self._db, query)

    @translated
    def matches(self, media_id: str, text: str) -> tuple[Match, ...]:
        return matches(self._db, media_id, text)

    @translated
    def facets(self) -> Facets:
        def most(column: str, source: str) -> tuple[str, ...]:
            sql = (
                f"SELECT {column} AS name FROM {source} AND name <> ''"
                " GROUP BY name ORDER BY count(*) DESC, name"
            )
            return tuple(row["name"] for row in self._db.rows(sql))

        return Facets(
            languages=most("language", "media WHERE deleted_at IS NULL"),
            tags=most(
                "each.value", "media, json_each(media.tags) AS each WHERE deleted_at IS NULL"
            ),
            topics=most(
                "each.value",
                "analysis, json_each(analysis.topics) AS each WHERE media_id NOT IN"
                " (SELECT id FROM media WHERE deleted_at IS NOT NULL)",
            ),
        )

    @translated
    def unfinished(self) -> list[Media]:
        sql = (
            f"SELECT {MEDIA} FROM media WHERE deleted_at IS NULL"
            " AND state IN ('waiting', 'active') ORDER BY created_at"
        )
        return [media_of(row) for row in self._db.rows(sql)]

    @translated
    def tag(self, media_ids: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> None:
        with self._db.transaction() as db:
            for media_id in media_ids:
                row = db.execute("SELECT tags FROM media WHERE id = ?", (media_id,)).fetchone()
                if row:
                    tags = dict.fromkeys([*json.loads(row["tags"]), *storable(add)])
                    left = [tag for tag in tags if tag not in remove]
                    changes = {"tags": json.dumps(left, ensure_ascii=False)}
                    update(db, "media", "id", media_id, changes)

    @translated
    def to_bin(self, media_ids: Sequence[str]) -> None:
        sql = "UPDATE media SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL"
        now = moment_column(datetime.now(UTC))
        with self._db.transaction() as db:
            db.executemany(sql, [(now, media_id) for media_id in media_ids])

    @translated
    def restore(self, media_ids: Sequence[str]) -> None:
        sql = "UPDATE media SET deleted_at = NULL WHERE id = ?"
        with self._db.transaction() as db:
            db.executemany(sql, [(media_id,) for media_id in media_ids])

    @translated
    def in_bin_since(self, moment: datetime) -> list[str]:
        sql = "SELECT id FROM media WHERE deleted_at <= ?"
        return [row["id"] for row in self._db.rows(sql, moment_column(moment))]

    @translated
    def delete(self, media_ids: Sequence[str]) -> None:
        with self._db.transaction() as db:
            for media_id in media_ids:
                db.execute(f"DELETE FROM search WHERE {ITS_ROW}", (media_id,))
                db.execute("DELETE FROM media WHERE id = ?", (media_id,))
        for media_id in media_ids:
            for path in self._audio.glob(f"{media_id}*"):
                path.unlink(missing_ok=True)

    @translated
    def overview(self, since: date | None, topics: int = 8) -> Overview:
        return overview(self._db, since, topics)

    @translated
    def open_items(self, limit: int = 100) -> list[OpenItem]:
        return open_items(self._db, limit)

    @translated
    def keep_audio(self, media_id: str, path: Path) -> None:
        kept = self._audio / f"{media_id}{path.suffix.lower() or '.audio'}"
        shutil.move(path, kept)
        for other in self._audio.glob(f"{media_id}.*"):
            if other != kept:
                other.unlink(missing_ok=True)

    @translated
    def audio(self, media_id: str) -> Path | None:
        # Skip the playable copy, whose name has one more part.
        found = self._audio.glob(f"{media_id}*")
        return next((path for path in found if path.stem == media_id), None)

    @translated
    def same_audio(self, sha256: str, size_bytes: int) -> Media | None:
        # A live recording has another size than its file, which was made seekable.
        unknown = self._db.rows(
            "SELECT id FROM media WHERE sha256 IS NULL AND state = 'completed'"
            " AND (size_bytes = ? OR source = 'live')",
            size_bytes,
        )
        for row in unknown:
            audio = self.audio(row["id"])
            if audio is not None and audio.stat().st_size == size_bytes:
                with audio.open("rb") as file:
                    self.update_media(row["id"], sha256=digest_of(file))
        found = self._db.rows(
            f"SELECT {MEDIA} FROM media WHERE sha256 = ? AND deleted_at IS NULL"
            " ORDER BY created_at DESC LIMIT 1",
            sha256,
        )
        return media_of(found[0]) if found else None
