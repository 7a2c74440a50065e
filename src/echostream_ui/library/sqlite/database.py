"""The local library's database: its tables, and one connection that all threads share."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from echostream.private_files import make_private_file
from echostream_ui.library.sqlite.watched_documents import WATCHED_DOCUMENTS
from echostream_ui.library.store import StoreError

P = ParamSpec("P")
T = TypeVar("T")

# A row's rowid in `search` is its recording's `number`: FTS5 finds rows by nothing else.
# Small columns come before large ones: SQLite reads a row from its start, and lists need neither
# the transcript nor the answer.
_SCHEMA = """
CREATE TABLE media (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
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
  title, text, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3'
);
PRAGMA user_version = 1;
"""

# The name of the file or its address is found too. FTS5 cannot add a column, so the index is made
# anew, once.
_SOURCE_NAMES = """
CREATE VIRTUAL TABLE search_2 USING fts5 (
  title, text, source_name, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3'
);
INSERT INTO search_2 (rowid, title, text, source_name)
  SELECT search.rowid, search.title, search.text, media.source_name
  FROM search JOIN media ON media.number = search.rowid;
DROP TABLE search;
ALTER TABLE search_2 RENAME TO search;
PRAGMA user_version = 2;
"""

# To whom the user gave lines.
_LINE_SPEAKERS = """
ALTER TABLE analysis ADD COLUMN line_speakers TEXT NOT NULL DEFAULT '{}';
PRAGMA user_version = 3;
"""

# What users keep for the next recording, results that were replaced by newer ones, and files of the
# watched folder. A file is known even after its recording is deleted: it is not taken in again.
_INTAKE = """
CREATE TABLE IF NOT EXISTS preset (
  name TEXT PRIMARY KEY,
  used_at TEXT NOT NULL,
  options TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS version (
  number INTEGER PRIMARY KEY,
  media_id TEXT NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  replaced_at TEXT NOT NULL,
  analysis TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS version_by_media ON version (media_id);
CREATE TABLE IF NOT EXISTS watched (
  path TEXT PRIMARY KEY,
  size_bytes INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  sha256 TEXT,
  media_id TEXT NOT NULL,
  is_exported INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS watched_by_content ON watched (sha256);
PRAGMA user_version = 4;
"""

# Links by which others may read one recording. Their secrets are not kept, only SHA-256 of them.
_SHARES = """
CREATE TABLE IF NOT EXISTS share (
  id INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  media_id TEXT NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  has_sound INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT
);
CREATE INDEX IF NOT EXISTS share_by_media ON share (media_id);
PRAGMA user_version = 5;
"""

# No foreign key to the recording of a known voice, which is known for others. A refused name goes
# with its recording.
_KNOWN_VOICES = """
CREATE TABLE voice (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  voice TEXT NOT NULL,
  seconds REAL NOT NULL,
  media_id TEXT NOT NULL,
  speaker TEXT NOT NULL,
  created_at TEXT NOT NULL,
  UNIQUE (media_id, speaker)
);
CREATE TABLE voice_refused (
  media_id TEXT NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  speaker TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (media_id, speaker, name)
);
PRAGMA user_version = 6;
"""

_BOOKMARKS = """
ALTER TABLE analysis ADD COLUMN bookmarks TEXT NOT NULL DEFAULT '[]';
PRAGMA user_version = 7;
"""

# Folders, saved filters, the bin, the digest of the audio, and when each line of the text begins.
# Every list asks for what is in the bin or is not, so its index begins with that. The times of the
# lines have a table of their own: at the end of `analysis`, SQLite would read through the answer to
# get there. Those of older recordings are filled in when somebody searches.
_FOLDERS = """
CREATE TABLE folder (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE saved_filter (name TEXT PRIMARY KEY, choice TEXT NOT NULL);
CREATE TABLE line_starts (
  number INTEGER PRIMARY KEY REFERENCES media (number) ON DELETE CASCADE,
  starts TEXT NOT NULL
);
ALTER TABLE media ADD COLUMN folder TEXT REFERENCES folder (id) ON DELETE SET NULL;
ALTER TABLE media ADD COLUMN deleted_at TEXT;
ALTER TABLE media ADD COLUMN sha256 TEXT;
DROP INDEX media_by_date;
DROP INDEX media_by_title;
DROP INDEX media_by_duration;
DROP INDEX media_by_state;
CREATE INDEX media_by_date ON media (deleted_at, created_at DESC, id);
CREATE INDEX media_by_title ON media (deleted_at, title COLLATE NOCASE);
CREATE INDEX media_by_duration ON media (deleted_at, duration_s);
CREATE INDEX media_by_state ON media (deleted_at, state);
CREATE INDEX media_in_folder ON media (folder, deleted_at, created_at DESC, id);
CREATE INDEX media_by_sha256 ON media (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX media_without_sha256 ON media (size_bytes) WHERE sha256 IS NULL;
PRAGMA user_version = 8;
"""

_MIGRATIONS = (
    _SCHEMA,
    _SOURCE_NAMES,
    _LINE_SPEAKERS,
    _INTAKE,
    _SHARES,
    _KNOWN_VOICES,
    _BOOKMARKS,
    _FOLDERS,
    WATCHED_DOCUMENTS,
)
"""Each is run once, in order; `user_version` says how many have been."""


def translated(method: Callable[P, T]) -> Callable[P, T]:
    """Decorator that raises SQLite's errors as StoreError."""

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


class Database:
    """Serves all threads, one at a time. `rows` and `transaction` raise SQLite's own errors."""

    def __init__(self, file: Path) -> None:
        """Raises StoreError if the file cannot be used."""
        self._lock = threading.RLock()
        self._connection = self._open(file)

    @translated
    def _open(self, file: Path) -> sqlite3.Connection:
        make_private_file(file)  # SQLite gives its other files the same mode
        connection = sqlite3.connect(
            file, check_same_thread=False, isolation_level=None, timeout=10
        )
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            # With WAL only a power cut can lose data.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            # What is deleted is in the file no longer.
            connection.execute("PRAGMA secure_delete = ON")
            connection.create_function("casefold", 1, str.casefold, deterministic=True)
            _migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def scrub(self) -> None:
        """Leaves nothing of what was deleted in the log beside the database, unless another program
        is just reading it."""
        with self._lock:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()


def update(
    db: sqlite3.Connection, table: str, key: str, media_id: str, changes: dict[str, Any]
) -> None:
    """Sets columns of a recording's row in a transaction."""
    names = ", ".join(f"{name} = ?" for name in changes)
    db.execute(f"UPDATE {table} SET {names} WHERE {key} = ?", (*changes.values(), media_id))


def _migrate(connection: sqlite3.Connection) -> None:
    """Brings the tables up to date. Two processes that open the library do it one after the
    other, and a migration that fails leaves everything as it was. Raises StoreError for tables that
    a newer program has made, which this one might spoil."""
    if _version(connection) > len(_MIGRATIONS):
        raise StoreError(
            "The library was last used by a newer EchoStream.", "Start that version again."
        )
    for version, migration in enumerate(_MIGRATIONS):
        if _version(connection) > version:
            continue
        connection.execute("BEGIN IMMEDIATE")
        if _version(connection) > version:  # the other one was first
            connection.execute("ROLLBACK")
            continue
        try:
            for statement in migration.split(";\n"):
                connection.execute(statement)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
