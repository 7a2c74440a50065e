"""Finds the recordings that match a query and the lines of them that do; keeps what these are found
by."""

import json
import re
import sqlite3
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from echostream_ui.library.matches import line_starts, matches_in, telling
from echostream_ui.library.search import (
    MARK_END,
    MARK_START,
    NO_FOLDER,
    SHOWN_MATCHES,
    Match,
    Page,
    Query,
    Row,
)
from echostream_ui.library.sqlite.database import Database
from echostream_ui.library.sqlite.rows import MEDIA, moment_column, row_of
from echostream_ui.library.transcript import text_of
from echostream_ui.library.values import Json, storable

_ORDER = {
    "created_at": "media.created_at",
    "title": "media.title COLLATE NOCASE",
    "duration_s": "media.duration_s",
    "deleted_at": "media.deleted_at",
}
_MOST_MATCHES = 1000

ITS_ROW = "rowid = (SELECT number FROM media WHERE id = ?)"
"""A condition for the row of `search` that belongs to a recording."""


def index(db: sqlite3.Connection, media_id: str, title: str, text: str) -> None:
    """Writes a recording's row of `search`."""
    sql = (
        "INSERT OR REPLACE INTO search (rowid, title, text, source_name)"
        " SELECT number, ?, ?, source_name FROM media WHERE id = ?"
    )
    db.execute(sql, (title, text, media_id))


def index_text(
    db: sqlite3.Connection, media_id: str, response: Json, edits: Mapping[int, str]
) -> None:
    """Writes a text in the place of the one that a recording was found by."""
    text = storable(text_of(response, edits))
    db.execute(f"UPDATE search SET text = ? WHERE {ITS_ROW}", (text, media_id))
    keep_line_starts(db, media_id, response, edits)


def keep_line_starts(
    db: sqlite3.Connection, media_id: str, response: Json, edits: Mapping[int, str]
) -> None:
    sql = (
        "INSERT OR REPLACE INTO line_starts (number, starts)"
        " SELECT number, ? FROM media WHERE id = ?"
    )
    db.execute(sql, (json.dumps(line_starts(response, edits)), media_id))


def search(db: Database, query: Query) -> Page:
    wanted = _fts_query(query.text)
    if query.text.strip() and not wanted:
        return Page((), 0)  # only punctuation, which is not indexed
    tables = "media JOIN analysis ON analysis.media_id = media.id"
    counted = tables if query.sentiments or query.topics else "media"
    where, values = _conditions(query)
    if wanted:
        tables, counted = (
            f"{each} JOIN search ON search.rowid = number" for each in (tables, counted)
        )
        where.append("search MATCH ?")
        values.append(wanted)
    condition = " AND ".join(where)
    total = db.rows(f"SELECT count(*) FROM {counted} WHERE {condition}", *values)[0][0]
    found = db.rows(
        f"SELECT number, {MEDIA}, topics, sentiment, sentiment_score"
        f" FROM {tables} WHERE {condition} ORDER BY {_order(query, bool(wanted))}"
        " LIMIT ? OFFSET ?",
        *values,
        query.limit,
        query.offset,
    )
    if not wanted:
        return Page(tuple(row_of(row) for row in found), total)
    lines = _matches(db, wanted, [row["number"] for row in found])
    return Page(tuple(_with_matches(row_of(row), lines[row["number"]]) for row in found), total)


def matches(db: Database, media_id: str, text: str) -> tuple[Match, ...]:
    found = db.rows("SELECT number FROM media WHERE id = ?", media_id)
    wanted = _fts_query(text)
    if not found or not wanted:
        return ()
    number = found[0]["number"]
    return tuple(_matches(db, wanted, [number])[number][:_MOST_MATCHES])


def _fts_query(text: str) -> str:
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text))
    return " ".join(f'"{word}"*' for word in words)


def _with_matches(row: Row, matches: Sequence[Match]) -> Row:
    return replace(row, matches=telling(matches, SHOWN_MATCHES), all_matches=len(matches))


def _matches(db: Database, wanted: str, numbers: Sequence[int]) -> dict[int, list[Match]]:
    """Returns the matches of some recordings. They are marked after the page of recordings has been
    found: SQLite would mark the texts of all that match before it sorts them."""
    places = ", ".join("?" * len(numbers))
    marked = db.rows(
        f"SELECT rowid, highlight(search, 1, '{MARK_START}', '{MARK_END}') AS said FROM search"
        f" WHERE search MATCH ? AND rowid IN ({places})",
        wanted,
        *numbers,
    )
    said = {row["rowid"]: row["said"] for row in marked if MARK_START in row["said"]}
    starts = _starts(db, list(said))
    found = {number: matches_in(text, starts[number]) for number, text in said.items()}
    return {number: found.get(number, []) for number in numbers}


def _starts(db: Database, numbers: Sequence[int]) -> dict[int, list[float]]:
    """Returns when the lines of some recordings begin. Those that nobody has searched since the
    times are kept are read from their answers now."""
    sql = (
        f"SELECT number, starts FROM line_starts WHERE number IN ({', '.join('?' * len(numbers))})"
    )
    found = {row["number"]: json.loads(row["starts"]) for row in db.rows(sql, *numbers)}
    for number in numbers:
        if number not in found:
            found[number] = _read_starts(db, number)
            kept = json.dumps(found[number])
            # A disk that is full keeps nobody from searching. If there are times now, the user has
            # just edited the text, and they are newer.
            with suppress(sqlite3.OperationalError), db.transaction() as connection:
                sql = "INSERT OR IGNORE INTO line_starts (number, starts) VALUES (?, ?)"
                connection.execute(sql, (number, kept))
    return found


def _read_starts(db: Database, number: int) -> list[float]:
    sql = "SELECT response, edits FROM analysis JOIN media ON media.id = media_id WHERE number = ?"
    row = db.rows(sql, number)[0]
    edits = {int(segment): text for segment, text in json.loads(row["edits"]).items()}
    return line_starts(json.loads(row["response"] or "{}"), edits)


def _conditions(query: Query) -> tuple[list[str], list[object]]:
    where = [f"media.deleted_at IS {'NOT NULL' if query.in_bin else 'NULL'}"]
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
    if query.folder == NO_FOLDER:
        where.append("media.folder IS NULL")
    elif query.folder is not None:
        one_of("media.folder", [query.folder])
    if query.begin:
        where.append("media.created_at >= ?")
        values.append(moment_column(query.begin))
    if query.end:
        where.append("media.created_at < ?")
        values.append(moment_column(query.end))
    return where, values


def _order(query: Query, is_search: bool) -> str:
    if query.sort == "relevance" and is_search:
        return "bm25(search, 4, 1, 2), media.created_at DESC, media.id"
    column = _ORDER.get(query.sort, _ORDER["created_at"])
    return f"{column} {'DESC' if query.descending else 'ASC'} NULLS LAST, media.id"
