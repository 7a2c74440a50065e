"""Files of the watched folder that the local library knows."""

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from echostream_ui.library.sqlite.database import Database, translated

_DAY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class WatchedFile:
    """A file that was taken in, as it was then. `path` is below the watched folder; `sha256` is of
    its content, in hexadecimal, and None if it could not be read. With `is_exported` nothing needs
    to be written beside it (any more), until the recording is changed after `changed_at`, a Julian
    day."""

    path: str
    size_bytes: int
    mtime_ns: int
    sha256: str | None
    media_id: str
    changed_at: float | None = None
    is_exported: bool = False


@dataclass(frozen=True, slots=True)
class WrittenDocument:
    """What was written beside a file, under a `name` in the same folder; `sha256` is of what was
    written, in hexadecimal."""

    format: str
    name: str
    sha256: str


class WatchedFiles:
    """Every method blocks, may be called from any thread, and may raise StoreError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @translated
    def all(self) -> dict[str, WatchedFile]:
        """Returns the files by their path."""
        return {found.path: found for found in self._select("")}

    @translated
    def with_content(self, sha256: str) -> WatchedFile | None:
        """Returns the file with this content that was taken in first."""
        return next(iter(self._select("WHERE sha256 = ? ORDER BY rowid LIMIT 1", sha256)), None)

    @translated
    def keep(self, file: WatchedFile, *, instead_of: str | None = None) -> None:
        """Remembers a file, in place of what was known of its path and of `instead_of`, the path
        where it was before. Its documents stay known unless its recording is another now."""
        sql = (
            "INSERT OR REPLACE INTO watched"
            " (path, size_bytes, mtime_ns, sha256, media_id, changed_at, is_exported)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        of_another = (
            "DELETE FROM watched_document WHERE path = ? AND path NOT IN"
            " (SELECT path FROM watched WHERE media_id = ?)"
        )
        moved = "UPDATE watched_document SET path = ? WHERE path = ?"
        with self._db.transaction() as db:
            path = _stored(file.path)
            db.execute(of_another, (path, file.media_id))
            if instead_of is not None:
                db.execute(moved, (path, _stored(instead_of)))
                db.execute("DELETE FROM watched WHERE path = ?", (_stored(instead_of),))
            db.execute(sql, (path, *astuple(file)[1:]))

    @translated
    def to_export(self, quiet_s: float = 0.0) -> list[WatchedFile]:
        """Returns the files whose recordings are done and whose results are not exported yet, or
        were changed since, but not in the last `quiet_s` seconds."""
        return self._select(
            "JOIN media ON media.id = media_id WHERE state = 'completed' AND NOT is_exported"
            " AND deleted_at IS NULL"
            " AND (changed_at IS NULL OR changed_at <= julianday('now') - ?)",
            quiet_s / _DAY_S,
        )

    @translated
    def keep_exported(self, file: WatchedFile, documents: Sequence[WrittenDocument]) -> None:
        """Remembers what was written beside a file. What was changed meanwhile stays to be
        exported."""
        sql = "INSERT OR REPLACE INTO watched_document VALUES (?, ?, ?, ?)"
        done = "UPDATE watched SET is_exported = 1 WHERE path = ? AND changed_at IS ?"
        with self._db.transaction() as db:
            path = _stored(file.path)
            for each in documents:
                db.execute(sql, (path, each.format, _stored(each.name), each.sha256))
            db.execute(done, (path, file.changed_at))

    @translated
    def documents(self, path: str) -> dict[str, WrittenDocument]:
        """Returns what was written beside a file, by its format."""
        sql = "SELECT format, name, sha256 FROM watched_document WHERE path = ?"
        return {
            written: WrittenDocument(written, os.fsdecode(name), sha256)
            for written, name, sha256 in self._db.rows(sql, _stored(path))
        }

    def _select(self, condition: str, *values: object) -> list[WatchedFile]:
        names = (
            "path, watched.size_bytes, mtime_ns, watched.sha256, media_id, changed_at, is_exported"
        )
        return [
            _file(row) for row in self._db.rows(f"SELECT {names} FROM watched {condition}", *values)
        ]


def _file(row: sqlite3.Row) -> WatchedFile:
    path, is_exported = os.fsdecode(row["path"]), bool(row["is_exported"])
    return WatchedFile(**{**dict(row), "path": path, "is_exported": is_exported})


def _stored(path: str) -> str | bytes:
    """Names of files are bytes, and what is no text cannot be stored as text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path
