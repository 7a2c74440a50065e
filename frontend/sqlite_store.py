"""The library in a local folder: a SQLite database, and a file of audio for each recording."""

import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import date, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from frontend.store import (
    MARK_END,
    MARK_START,
    ActionItem,
    Analysis,
    Facets,
    Json,
    Media,
    OpenItem,
    Overview,
    Page,
    Query,
    Row,
    StoreError,
    TopicInWeek,
    Week,
)
from frontend.transcript import action_items_of, text_of, title_of

P = ParamSpec("P")
T = TypeVar("T")

# Small columns stand before large ones: SQLite reads a row from its beginning, and lists need
# neither the transcript nor the answer.
_SCHEMA = """
CREATE TABLE media (
  id TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  created_at TEXT NOT NULL,
  source TEXT NOT NULL,
  source_name TEXT NOT NULL,
  size_bytes INTEGER,
  duration_s REAL,
  language TEXT,
  tags TEXT NOT NULL DEFAULT '[]',
  state TEXT NOT NULL,
  job_id TEXT,
  error TEXT,
  message TEXT
);
CREATE INDEX media_by_date ON media (created_at);
CREATE INDEX media_by_title ON media (title COLLATE NOCASE);
CREATE INDEX media_by_duration ON media (duration_s);
CREATE INDEX media_by_state ON media (state);
CREATE TABLE analysis (
  media_id TEXT PRIMARY KEY REFERENCES media (id) ON DELETE CASCADE,
  topics TEXT NOT NULL DEFAULT '[]',
  sentiment TEXT,
  sentiment_score REAL,
  action_items TEXT NOT NULL DEFAULT '[]',
  edits TEXT NOT NULL DEFAULT '{}',
  speakers TEXT NOT NULL DEFAULT '{}',
  request TEXT NOT NULL,
  insights TEXT,
  response TEXT
);
CREATE VIRTUAL TABLE search USING fts5 (
  media_id UNINDEXED, title, text, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3'
);
PRAGMA user_version = 1;
"""
_MEDIA = ", ".join(f"media.{field.name}" for field in fields(Media))
_MONDAY = "date(created_at, '-6 days', 'weekday 1')"
_ORDER = {
    "created_at": "media.created_at",
    "title": "media.title COLLATE NOCASE",
    "duration_s": "media.duration_s",
}
_EXCERPT_WORDS = 16
_COUNTED = "FROM media JOIN analysis ON media_id = media.id WHERE state = 'completed'"


def translated(method: Callable[P, T]) -> Callable[P, T]:
    """Raise SQLite's errors as StoreError."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except sqlite3.OperationalError as error:
            full = "full" in str(error)
            advice = "Make room on the disk." if full else "Check that its folder can be written."
            raise StoreError(
                f"The library cannot be used: {error}.", advice, retryable=True
            ) from error
        except (sqlite3.DatabaseError, OSError) as error:
            raise StoreError(f"The library cannot be used: {error}.") from error

    return call


class SqliteStore:
    """A `Store` in a folder. One connection serves all threads, one after the other."""

    def __init__(self, folder: Path) -> None:
        """Raises StoreError when the folder cannot be used."""
        self._audio = folder / "audio"
        self._lock = threading.RLock()
        self._connection = self._open(folder)

    @translated
    def _open(self, folder: Path) -> sqlite3.Connection:
        self._audio.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            folder / "library.db", check_same_thread=False, isolation_level=None, timeout=10
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        return connection

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    @translated
    def add(self, media: Media, request: Json) -> None:
        row = asdict(media) | {
            "created_at": media.created_at.isoformat(),
            "tags": json.dumps(media.tags, ensure_ascii=False),
        }
        names = ", ".join(row)
        places = ", ".join(f":{name}" for name in row)
        with self._transaction() as db:
            added = db.execute(f"INSERT OR IGNORE INTO media ({names}) VALUES ({places})", row)
            if added.rowcount:
                sql = "INSERT INTO analysis (media_id, request) VALUES (?, ?)"
                db.execute(sql, (media.id, json.dumps(request)))
                _index(db, media.id, media.title, "")

    @translated
    def media(self, media_id: str) -> Media | None:
        found = self._rows(f"SELECT {_MEDIA} FROM media WHERE id = ?", media_id)
        return _media(found[0]) if found else None

    @translated
    def analysis(self, media_id: str) -> Analysis | None:
        found = self._rows("SELECT * FROM analysis WHERE media_id = ?", media_id)
        return _analysis(found[0]) if found else None

    @translated
    def update_media(self, media_id: str, **changes: Any) -> None:
        if "tags" in changes:
            changes["tags"] = json.dumps(changes["tags"], ensure_ascii=False)
        with self._transaction() as db:
            _update(db, "media", "id", media_id, changes)
            if "title" in changes:
                sql = "UPDATE search SET title = ? WHERE media_id = ?"
                db.execute(sql, (changes["title"], media_id))

    @translated
    def complete(self, media_id: str, response: Json) -> None:
        media, analysis = self.media(media_id), self.analysis(media_id)
        if media is None or analysis is None:
            return
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
        with self._transaction() as db:
            _update(db, "media", "id", media_id, done)
            found = {"insights": insights, "action_items": action_items_of(insights)}
            columns = _columns(found) | {"response": json.dumps(response, ensure_ascii=False)}
            _update(db, "analysis", "media_id", media_id, columns)
            _index(db, media_id, title, text_of(response, {}))

    @translated
    def update_analysis(self, media_id: str, **changes: Any) -> None:
        with self._transaction() as db:
            _update(db, "analysis", "media_id", media_id, _columns(changes))
            if "edits" not in changes:
                return
            row = db.execute("SELECT response FROM analysis WHERE media_id = ?", (media_id,))
            if found := row.fetchone():
                text = text_of(json.loads(found["response"] or "{}"), changes["edits"])
                db.execute("UPDATE search SET text = ? WHERE media_id = ?", (text, media_id))

    @translated
    def search(self, query: Query) -> Page:
        words = re.findall(r"[^\W_]+", query.text)
        where, values = _conditions(query)
        tables = "media JOIN analysis ON analysis.media_id = media.id"
        excerpt = "NULL"
        if words:
            tables += " JOIN search ON search.media_id = media.id"
            where.append("search MATCH ?")
            values.append(" ".join(f'"{word}"*' for word in words))
            excerpt = f"snippet(search, 2, '{MARK_START}', '{MARK_END}', '…', {_EXCERPT_WORDS})"
        elif query.text.strip():
            return Page((), 0)  # nothing that could stand in a transcript
        condition = " AND ".join(where) or "TRUE"
        total = self._rows(f"SELECT count(*) FROM {tables} WHERE {condition}", *values)[0][0]
        found = self._rows(
            f"SELECT {_MEDIA}, topics, sentiment, sentiment_score, {excerpt} AS excerpt"
            f" FROM {tables} WHERE {condition} ORDER BY {_order(query, bool(words))}"
            " LIMIT ? OFFSET ?",
            *values,
            query.limit,
            query.offset,
        )
        return Page(tuple(_row(row) for row in found), total)

    @translated
    def facets(self) -> Facets:
        def most(column: str, source: str) -> tuple[str, ...]:
            sql = (
                f"SELECT {column} AS name FROM {source} WHERE name <> ''"
                " GROUP BY name ORDER BY count(*) DESC, name"
            )
            return tuple(row["name"] for row in self._rows(sql))

        return Facets(
            languages=most("language", "media"),
            tags=most("each.value", "media, json_each(media.tags) AS each"),
            topics=most("each.value", "analysis, json_each(analysis.topics) AS each"),
        )

    @translated
    def unfinished(self) -> list[Media]:
        sql = f"SELECT {_MEDIA} FROM media WHERE state IN ('waiting', 'active') ORDER BY created_at"
        return [_media(row) for row in self._rows(sql)]

    @translated
    def tag(self, media_ids: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> None:
        with self._transaction() as db:
            for media_id in media_ids:
                row = db.execute("SELECT tags FROM media WHERE id = ?", (media_id,)).fetchone()
                if row:
                    tags = dict.fromkeys([*json.loads(row["tags"]), *add])
                    left = [tag for tag in tags if tag not in remove]
                    changes = {"tags": json.dumps(left, ensure_ascii=False)}
                    _update(db, "media", "id", media_id, changes)

    @translated
    def delete(self, media_ids: Sequence[str]) -> None:
        with self._transaction() as db:
            for media_id in media_ids:
                db.execute("DELETE FROM media WHERE id = ?", (media_id,))
                db.execute("DELETE FROM search WHERE media_id = ?", (media_id,))
        for media_id in media_ids:
            for path in self._audio.glob(f"{media_id}*"):
                path.unlink(missing_ok=True)

    @translated
    def overview(self, since: date | None, topics: int = 8) -> Overview:
        after = f"{_COUNTED} AND created_at >= ?"
        begin = (since or date.min).isoformat()
        weeks = self._rows(
            f"SELECT {_MONDAY} AS monday, count(*) AS recordings,"
            " total(duration_s) AS duration_s, total(sentiment = 'positive') AS positive,"
            " total(sentiment = 'neutral') AS neutral, total(sentiment = 'negative') AS negative"
            f" {after} GROUP BY monday ORDER BY monday",
            begin,
        )
        languages = self._rows(
            f"SELECT language, count(*) AS n {after} AND language IS NOT NULL"
            " GROUP BY language ORDER BY n DESC, language",
            begin,
        )
        items = self._rows(
            "SELECT total(NOT json_extract(each.value, '$.done')) AS open,"
            " total(json_extract(each.value, '$.done')) AS done"
            f" {after.replace('WHERE', ', json_each(action_items) AS each WHERE')}",
            begin,
        )[0]
        return Overview(
            recordings=sum(week["recordings"] for week in weeks),
            duration_s=sum(week["duration_s"] for week in weeks),
            weeks=tuple(_week(row) for row in weeks),
            topics=self._topics(after, begin, topics),
            languages=tuple((row["language"], row["n"]) for row in languages),
            open_items=int(items["open"]),
            done_items=int(items["done"]),
        )

    def _topics(self, after: str, begin: str, limit: int) -> tuple[TopicInWeek, ...]:
        each = after.replace("WHERE", ", json_each(topics) AS each WHERE")
        found = self._rows(
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
        found = self._rows(
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
        shutil.move(path, self._audio / f"{media_id}{path.suffix.lower()}")

    @translated
    def audio(self, media_id: str) -> Path | None:
        # Not a copy that was made of it, whose name has a further part.
        found = self._audio.glob(f"{media_id}*")
        return next((path for path in found if path.stem == media_id), None)


def action_item(found: Json) -> ActionItem:
    """An action item from its JSON."""
    return ActionItem(**found | {"evidence": tuple(found.get("evidence", ()))})


def _update(db: sqlite3.Connection, table: str, key: str, media_id: str, changes: Json) -> None:
    names = ", ".join(f"{name} = ?" for name in changes)
    db.execute(f"UPDATE {table} SET {names} WHERE {key} = ?", (*changes.values(), media_id))


def _index(db: sqlite3.Connection, media_id: str, title: str, text: str) -> None:
    db.execute("DELETE FROM search WHERE media_id = ?", (media_id,))
    sql = "INSERT INTO search (media_id, title, text) VALUES (?, ?, ?)"
    db.execute(sql, (media_id, title, text))


def _columns(changes: Json) -> Json:
    """Fields of `Analysis` as columns, with those that are derived from them."""
    columns = dict(changes)
    if "action_items" in changes:
        columns["action_items"] = [asdict(item) for item in changes["action_items"]]
    columns = {name: json.dumps(value, ensure_ascii=False) for name, value in columns.items()}
    if "insights" in changes:
        insights = changes["insights"] or {}
        sentiment = insights.get("sentiment") or {}
        columns |= {
            "topics": json.dumps(insights.get("topics", []), ensure_ascii=False),
            "sentiment": sentiment.get("label"),
            "sentiment_score": sentiment.get("score"),
        }
    return columns


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
        return "bm25(search, 0, 4, 1), media.created_at DESC, media.id"
    column = _ORDER.get(query.sort, _ORDER["created_at"])
    return f"{column} {'DESC' if query.descending else 'ASC'} NULLS LAST, media.id"


def _media(row: sqlite3.Row) -> Media:
    values = {field.name: row[field.name] for field in fields(Media)}
    values["created_at"] = datetime.fromisoformat(values["created_at"])
    values["tags"] = tuple(json.loads(values["tags"]))
    return Media(**values)


def _analysis(row: sqlite3.Row) -> Analysis:
    values = {name: json.loads(row[name] or "null") for name in _ANALYSIS}
    edits = {int(segment): text for segment, text in values["edits"].items()}
    items = tuple(action_item(item) for item in values["action_items"])
    return Analysis(**values | {"media_id": row["media_id"], "edits": edits, "action_items": items})


_ANALYSIS = ("request", "response", "insights", "edits", "speakers", "action_items")


def _row(row: sqlite3.Row) -> Row:
    excerpt = row["excerpt"]
    return Row(
        media=_media(row),
        topics=tuple(json.loads(row["topics"])),
        sentiment=row["sentiment"],
        sentiment_score=row["sentiment_score"],
        excerpt=excerpt if excerpt and MARK_START in excerpt else None,
    )


def _week(row: sqlite3.Row) -> Week:
    return Week(
        monday=date.fromisoformat(row["monday"]),
        recordings=row["recordings"],
        duration_s=row["duration_s"],
        positive=int(row["positive"]),
        neutral=int(row["neutral"]),
        negative=int(row["negative"]),
    )
