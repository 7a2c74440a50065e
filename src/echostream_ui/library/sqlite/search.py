"""Finds the recordings that match a query, and keeps the words to find them by."""

import re
import sqlite3
import unicodedata
from collections.abc import Sequence
from datetime import timedelta

from echostream_ui.library.sqlite.database import Database
from echostream_ui.library.sqlite.rows import MEDIA, row_of
from echostream_ui.library.store import MARK_END, MARK_START, Page, Query

_ORDER = {
    "created_at": "media.created_at",
    "title": "media.title COLLATE NOCASE",
    "duration_s": "media.duration_s",
}
_EXCERPT_WORDS = 16

ITS_ROW = "rowid = (SELECT number FROM media WHERE id = ?)"
"""A condition for the row of `search` that belongs to a recording."""


def index(db: sqlite3.Connection, media_id: str, title: str, text: str) -> None:
    """Writes a recording's row of `search`."""
    sql = (
        "INSERT OR REPLACE INTO search (rowid, title, text, source_name)"
        " SELECT number, ?, ?, source_name FROM media WHERE id = ?"
    )
    db.execute(sql, (title, text, media_id))


def search(db: Database, query: Query) -> Page:
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
        return Page((), 0)  # only punctuation, which is not indexed
    condition = " AND ".join(where) or "TRUE"
    total = db.rows(f"SELECT count(*) FROM {tables} WHERE {condition}", *values)[0][0]
    found = db.rows(
        f"SELECT {MEDIA}, topics, sentiment, sentiment_score, {excerpt} AS excerpt"
        f" FROM {tables} WHERE {condition} ORDER BY {_order(query, bool(words))}"
        " LIMIT ? OFFSET ?",
        *values,
        query.limit,
        query.offset,
    )
    return Page(tuple(row_of(row) for row in found), total)


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
        return "bm25(search, 4, 1, 2), media.created_at DESC, media.id"
    column = _ORDER.get(query.sort, _ORDER["created_at"])
    return f"{column} {'DESC' if query.descending else 'ASC'} NULLS LAST, media.id"
