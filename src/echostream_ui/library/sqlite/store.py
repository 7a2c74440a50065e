"""The library in a local folder: a SQLite database, and a file of audio for each recording."""

import json
import re
import shutil
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from echostream_ui.library.sqlite.database import Database, translated
from echostream_ui.library.sqlite.rows import (
    action_item,
    analysis_columns,
    analysis_of,
    media_columns,
    media_of,
    row_of,
    week_of,
)
from echostream_ui.library.store import (
    MARK_END,
    MARK_START,
    Analysis,
    Facets,
    Json,
    Media,
    OpenItem,
    Overview,
    Page,
    Query,
    TopicInWeek,
)
from echostream_ui.library.transcript import action_items_of, text_of, title_of
from echostream_ui.library.values import storable

_MEDIA = ", ".join(f"media.{field.name}" for field in fields(Media))
_MONDAY = "date(substr(created_at, 1, 10), '-6 days', 'weekday 1')"  # SQLite rounds up seconds
_ORDER = {
    "created_at": "media.created_at",
    "title": "media.title COLLATE NOCASE",
    "duration_s": "media.duration_s",
}
_ITS_ROW = "rowid = (SELECT number FROM media WHERE id = ?)"
_EXCERPT_WORDS = 16
_COUNTED = "FROM media JOIN analysis ON media_id = media.id WHERE state = 'completed'"


class SqliteStore:
    """A `Store` in a folder. One connection serves all threads, one after the other."""

    def __init__(self, folder: Path) -> None:
        """Raises StoreError when the folder cannot be used."""
        self._audio = folder / "audio"
        self._make_folder()
        self._db = Database(folder / "library.db")

    @translated
    def _make_folder(self) -> None:
        self._audio.mkdir(parents=True, exist_ok=True)

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
                _index(db, media.id, row["title"], "")

    @translated
    def media(self, media_id: str) -> Media | None:
        found = self._db.rows(f"SELECT {_MEDIA} FROM media WHERE id = ?", media_id)
        return media_of(found[0]) if found else None

    @translated
    def analysis(self, media_id: str) -> Analysis | None:
        found = self._db.rows("SELECT * FROM analysis WHERE media_id = ?", media_id)
        return analysis_of(found[0]) if found else None

    @translated
    def update_media(self, media_id: str, **changes: Any) -> None:
        changes = media_columns(changes)
        with self._db.transaction() as db:
            _update(db, "media", "id", media_id, changes)
            if "title" in changes:
                sql = f"UPDATE search SET title = ? WHERE {_ITS_ROW}"
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
            _update(db, "media", "id", media_id, done)
            found = {"insights": insights, "action_items": action_items_of(insights)}
            columns = analysis_columns(found) | {
                "response": json.dumps(response, ensure_ascii=False)
            }
            _update(db, "analysis", "media_id", media_id, columns)
            _index(db, media_id, title, text_of(response, {}))

    @translated
    def update_analysis(self, media_id: str, **changes: Any) -> None:
        with self._db.transaction() as db:
            _update(db, "analysis", "media_id", media_id, analysis_columns(changes))
            if "edits" not in changes:
                return
            row = db.execute("SELECT response FROM analysis WHERE media_id = ?", (media_id,))
            if found := row.fetchone():
                text = text_of(json.loads(found["response"] or "{}"), changes["edits"])
                text = storable(text)
                db.execute(f"UPDATE search SET text = ? WHERE {_ITS_ROW}", (text, media_id))

    @translated
    def search(self, query: Query) -> Page:
        words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", query.text))
        where, values = _conditions(query)
        tables = "media JOIN analysis ON analysis.media_id = media.id"
        excerpt = "NULL"
        if words:
            tables += " JOIN search ON search.rowid = media.number"
            where.append("search MATCH ?")
            values.append(" ".join(f'"{word}"*' for word in words))
            excerpt = f"snippet(search, 1, '{MARK_START}', '{MARK_END}', '…', {_EXCERPT_WORDS})"
        elif query.text.strip():
            return Page((), 0)  # nothing that could stand in a transcript
        condition = " AND ".join(where) or "TRUE"
        total = self._db.rows(f"SELECT count(*) FROM {tables} WHERE {condition}", *values)[0][0]
        found = self._db.rows(
            f"SELECT {_MEDIA}, topics, sentiment, sentiment_score, {excerpt} AS excerpt"
            f" FROM {tables} WHERE {condition} ORDER BY {_order(query, bool(words))}"
            " LIMIT ? OFFSET ?",
            *values,
            query.limit,
            query.offset,
        )
        return Page(tuple(row_of(row) for row in found), total)

    @translated
    def facets(self) -> Facets:
        def most(column: str, source: str) -> tuple[str, ...]:
            sql = (
                f"SELECT {column} AS name FROM {source} WHERE name <> ''"
                " GROUP BY name ORDER BY count(*) DESC, name"
            )
            return tuple(row["name"] for row in self._db.rows(sql))

        return Facets(
            languages=most("language", "media"),
            tags=most("each.value", "media, json_each(media.tags) AS each"),
            topics=most("each.value", "analysis, json_each(analysis.topics) AS each"),
        )

    @translated
    def unfinished(self) -> list[Media]:
        sql = f"SELECT {_MEDIA} FROM media WHERE state IN ('waiting', 'active') ORDER BY created_at"
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
                    _update(db, "media", "id", media_id, changes)

    @translated
    def delete(self, media_ids: Sequence[str]) -> None:
        with self._db.transaction() as db:
            for media_id in media_ids:
                db.execute(f"DELETE FROM search WHERE {_ITS_ROW}", (media_id,))
                db.execute("DELETE FROM media WHERE id = ?", (media_id,))
        for media_id in media_ids:
            for path in self._audio.glob(f"{media_id}*"):
                path.unlink(missing_ok=True)

    @translated
    def overview(self, since: date | None, topics: int = 8) -> Overview:
        after = f"{_COUNTED} AND created_at >= ?"
        begin = (since or date.min).isoformat()
        weeks = self._db.rows(
            f"SELECT {_MONDAY} AS monday, count(*) AS recordings,"
            " total(duration_s) AS duration_s, total(sentiment = 'positive') AS positive,"
            " total(sentiment = 'neutral') AS neutral, total(sentiment = 'negative') AS negative"
            f" {after} GROUP BY monday ORDER BY monday",
            begin,
        )
        languages = self._db.rows(
            f"SELECT language, count(*) AS n {after} AND language IS NOT NULL"
            " GROUP BY language ORDER BY n DESC, language",
            begin,
        )
        items = self._db.rows(
            "SELECT total(NOT json_extract(each.value, '$.done')) AS open,"
            " total(json_extract(each.value, '$.done')) AS done"
            f" {after.replace('WHERE', ', json_each(action_items) AS each WHERE')}",
            begin,
        )[0]
        return Overview(
            recordings=sum(week["recordings"] for week in weeks),
            duration_s=sum(week["duration_s"] for week in weeks),
            weeks=tuple(week_of(row) for row in weeks),
            topics=self._topics(after, begin, topics),
            languages=tuple((row["language"], row["n"]) for row in languages),
            open_items=int(items["open"]),
            done_items=int(items["done"]),
        )

    def _topics(self, after: str, begin: str, limit: int) -> tuple[TopicInWeek, ...]:
        each = after.replace("WHERE", ", json_each(topics) AS each WHERE")
        found = self._db.rows(
            f"WITH said AS (SELECT each.value AS topic, {_MONDAY} AS monday {each}),"
            " top AS (SELECT topic, count(*) AS n FROM said GROUP BY topic"
            "         ORDER BY n DESC, topic LIMIT ?)"
            " SELECT said.topic, monday, count(*) AS recordings FROM said JOIN top"
            " ON top.topic = said.topic GROUP BY said.topic, monday"
            " ORDER BY top.n DESC, said.topic, monday",
            begin,
            limit,
        )
        return tuple(
            TopicInWeek(row["topic"], date.fromisoformat(row["monday"]), row["recordings"])
            for row in found
        )

    @translated
    def open_items(self, limit: int = 100) -> list[OpenItem]:
        found = self._db.rows(
            "SELECT media.id, title, created_at, each.key AS place, each.value AS item"
            " FROM media JOIN analysis ON media_id = media.id, json_each(action_items) AS each"
            " WHERE state = 'completed' AND NOT json_extract(each.value, '$.done')"
            " ORDER BY created_at DESC, media.id, place LIMIT ?",
            limit,
        )
        return [
            OpenItem(
                media_id=row["id"],
                media_title=row["title"],
                created_at=datetime.fromisoformat(row["created_at"]),
                index=row["place"],
                item=action_item(json.loads(row["item"])),
            )
            for row in found
        ]

    @translated
    def keep_audio(self, media_id: str, path: Path) -> None:
        kept = self._audio / f"{media_id}{path.suffix.lower() or '.audio'}"
        shutil.move(path, kept)
        for other in self._audio.glob(f"{media_id}.*"):
            if other != kept:
                other.unlink(missing_ok=True)

    @translated
    def audio(self, media_id: str) -> Path | None:
        # Not a copy that was made of it, whose name has a further part.
        found = self._audio.glob(f"{media_id}*")
        return next((path for path in found if path.stem == media_id), None)


def _update(db: sqlite3.Connection, table: str, key: str, media_id: str, changes: Json) -> None:
    names = ", ".join(f"{name} = ?" for name in changes)
    db.execute(f"UPDATE {table} SET {names} WHERE {key} = ?", (*changes.values(), media_id))


def _index(db: sqlite3.Connection, media_id: str, title: str, text: str) -> None:
    sql = (
        "INSERT OR REPLACE INTO search (rowid, title, text)"
        " SELECT number, ?, ? FROM media WHERE id = ?"
    )
    db.execute(sql, (title, text, media_id))


def _conditions(query: Query) -> tuple[list[str], list[object]]:
    where: list[str] = []
    values: list[object] = []

    def one_of(column: str, wanted: Sequence[str]) -> None:
        if wanted:
            where.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values.extend(wanted)

    def any_of(column: str, wanted: Sequence[str]) -> None:
        if wanted:
            places = ", ".join("?" * len(wanted))
            where.append(f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value IN ({places}))")
            values.extend(wanted)

    one_of("media.language", query.languages)
    one_of("media.state", query.states)
    one_of("analysis.sentiment", query.sentiments)
    any_of("media.tags", query.tags)
    any_of("analysis.topics", query.topics)
    if query.since:
        where.append("media.created_at >= ?")
        values.append(query.since.isoformat())
    if query.until:
        where.append("media.created_at < ?")
        values.append((query.until + timedelta(days=1)).isoformat())
    return where, values


def _order(query: Query, is_search: bool) -> str:
    if query.sort == "relevance" and is_search:
        return "bm25(search, 4, 1), media.created_at DESC, media.id"
    column = _ORDER.get(query.sort, _ORDER["created_at"])
    return f"{column} {'DESC' if query.descending else 'ASC'} NULLS LAST, media.id"
