"""Folders and saved filters of the local library."""

import json
import sqlite3
import uuid
from collections.abc import Sequence

from echostream_ui.library.folders import Folder, SavedFilter
from echostream_ui.library.sqlite.database import Database, translated
from echostream_ui.library.store import StoreError
from echostream_ui.library.values import Json, storable

_NAME = "casefold(name)"
"""How names are compared. SQLite by itself only knows the letters of English."""


class SqliteFolders:
    def __init__(self, db: Database) -> None:
        self._db = db

    @translated
    def all(self) -> list[Folder]:
        sql = (
            "SELECT folder.id, name, count(media.id) AS recordings FROM folder"
            " LEFT JOIN media ON media.folder = folder.id AND media.deleted_at IS NULL"
            f" GROUP BY folder.id ORDER BY {_NAME}"
        )
        return [Folder(*row) for row in self._db.rows(sql)]

    @translated
    def add(self, name: str) -> str:
        folder_id, name = str(uuid.uuid4()), storable(name)
        with self._db.transaction() as db:
            _refuse_twice(db, folder_id, name)
            db.execute("INSERT INTO folder (id, name) VALUES (?, ?)", (folder_id, name))
        return folder_id

    @translated
    def rename(self, folder_id: str, name: str) -> None:
        name = storable(name)
        with self._db.transaction() as db:
            _refuse_twice(db, folder_id, name)
            db.execute("UPDATE folder SET name = ? WHERE id = ?", (name, folder_id))

    @translated
    def delete(self, folder_id: str) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM folder WHERE id = ?", (folder_id,))

    @translated
    def move(self, media_ids: Sequence[str], folder_id: str | None) -> None:
        moved = [(folder_id, media_id) for media_id in media_ids]
        with self._db.transaction() as db:
            if folder_id is not None and not _is_there(db, folder_id):
                raise StoreError("The folder has been deleted meanwhile.")
            db.executemany("UPDATE media SET folder = ? WHERE id = ?", moved)


class SqliteSavedFilters:
    def __init__(self, db: Database) -> None:
        self._db = db

    @translated
    def all(self) -> list[SavedFilter]:
        found = self._db.rows(f"SELECT name, choice FROM saved_filter ORDER BY {_NAME}, name")
        return [SavedFilter(row["name"], json.loads(row["choice"])) for row in found]

    @translated
    def save(self, name: str, choice: Json) -> None:
        sql = "INSERT OR REPLACE INTO saved_filter (name, choice) VALUES (?, ?)"
        with self._db.transaction() as db:
            kept = json.dumps(storable(choice), ensure_ascii=False)
            db.execute(sql, (storable(name), kept))

    @translated
    def delete(self, name: str) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM saved_filter WHERE name = ?", (name,))


def _is_there(db: sqlite3.Connection, folder_id: str) -> bool:
    found = db.execute("SELECT 1 FROM folder WHERE id = ?", (folder_id,))
    return found.fetchone() is not None


def _refuse_twice(db: sqlite3.Connection, folder_id: str, name: str) -> None:
    sql = f"SELECT 1 FROM folder WHERE {_NAME} = casefold(?) AND id <> ?"
    if db.execute(sql, (name, folder_id)).fetchone():
        raise StoreError("There is a folder with this name.", "Choose another name.")
