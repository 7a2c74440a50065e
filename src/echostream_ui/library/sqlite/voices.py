"""Voices that are known by name, in the local library."""

import json
from collections.abc import Collection
from dataclasses import asdict
from datetime import UTC, datetime

from echostream_ui.library.sqlite.database import Database, translated
from echostream_ui.library.values import storable
from echostream_ui.library.voices import KnownVoice

_COLUMNS = "name, voice, seconds, media_id, speaker, created_at"


class SqliteVoices:
    """`Voices` in the database of a `SqliteStore`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @translated
    def known(self) -> list[KnownVoice]:
        rows = self._db.rows(
            f"SELECT {_COLUMNS} FROM voice ORDER BY name COLLATE NOCASE, name, number"
        )
        return [
            KnownVoice(**dict(row) | {"created_at": datetime.fromisoformat(row["created_at"])})
            for row in rows
        ]

    @translated
    def remember(self, voice: KnownVoice) -> None:
        created_at = voice.created_at.astimezone(UTC).isoformat()
        row = storable(asdict(voice) | {"created_at": created_at})
        places = ", ".join(f":{name}" for name in _COLUMNS.split(", "))
        with self._db.transaction() as db:
            db.execute(f"INSERT OR REPLACE INTO voice ({_COLUMNS}) VALUES ({places})", row)

    @translated
    def forget(self, media_id: str, speaker: str) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM voice WHERE media_id = ? AND speaker = ?", (media_id, speaker))
        self._db.scrub()

    @translated
    def forget_names(self, names: Collection[str]) -> None:
        wanted = (json.dumps(storable(list(names))),)
        with self._db.transaction() as db:
            for table in ("voice", "voice_refused"):
                sql = f"DELETE FROM {table} WHERE name IN (SELECT value FROM json_each(?))"
                db.execute(sql, wanted)
        self._db.scrub()

    @translated
    def forget_all(self) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM voice")
            db.execute("DELETE FROM voice_refused")
        self._db.scrub()

    @translated
    def refused(self, media_id: str) -> frozenset[tuple[str, str]]:
        sql = "SELECT speaker, name FROM voice_refused WHERE media_id = ?"
        return frozenset((row["speaker"], row["name"]) for row in self._db.rows(sql, media_id))

    @translated
    def refuse(self, media_id: str, speaker: str, name: str) -> None:
        sql = (
            "INSERT OR IGNORE INTO voice_refused (media_id, speaker, name)"
            " SELECT id, ?, ? FROM media WHERE id = ?"
        )
        with self._db.transaction() as db:
            db.execute(sql, (*storable([speaker, name]), media_id))
