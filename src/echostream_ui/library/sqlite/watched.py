"""Files of the watched folder that the local library knows."""

import os
from dataclasses import astuple, dataclass

from echostream_ui.library.sqlite.database import Database, translated


@dataclass(frozen=True, slots=True)
class WatchedFile:
    """A file that was taken in, as it was then. `path` is below the watched folder; `sha256` is of
    its content, in hexadecimal, and None if it could not be read. With `is_exported` nothing needs
    to be written beside it (any more)."""

    path: str
    size_bytes: int
    mtime_ns: int
    sha256: str | None
    media_id: str
    is_exported: bool = False


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
        where it was before."""
        sql = (
            "INSERT OR REPLACE INTO watched"
            " (path, size_bytes, mtime_ns, sha256, media_id, is_exported)"
            " VALUES (?, ?, ?, ?, ?, ?)"
        )
        with self._db.transaction() as db:
            if instead_of is not None:
                db.execute("DELETE FROM watched WHERE path = ?", (_stored(instead_of),))
            db.execute(sql, (_stored(file.path), *astuple(file)[1:]))

    @translated
    def to_export(self) -> list[WatchedFile]:
        """Returns the files whose recordings are done and whose results are not exported yet."""
        return self._select(
            "JOIN media ON media.id = media_id WHERE state = 'completed' AND NOT is_exported"
            " AND deleted_at IS NULL"
        )

    def _select(self, condition: str, *values: object) -> list[WatchedFile]:
        names = "path, watched.size_bytes, mtime_ns, watched.sha256, media_id, is_exported"
        rows = self._db.rows(f"SELECT {names} FROM watched {condition}", *values)
        return [
            WatchedFile(
                **{
                    **dict(row),
                    "path": os.fsdecode(row["path"]),
                    "is_exported": bool(row["is_exported"]),
                }
            )
            for row in rows
        ]


def _stored(path: str) -> str | bytes:
    """Names of files are bytes, and what is no text cannot be stored as text."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path
