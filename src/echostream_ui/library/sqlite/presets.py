"""The presets of the local library."""

import json
from datetime import UTC, datetime

from echostream_ui.library.presets import Preset
from echostream_ui.library.sqlite.database import Database, translated
from echostream_ui.library.values import Json, storable


class SqlitePresets:
    """A `Presets` in the library's database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @translated
    def all(self) -> list[Preset]:
        rows = self._db.rows("SELECT name, options FROM preset ORDER BY used_at DESC, name")
        return [Preset(row["name"], json.loads(row["options"])) for row in rows]

    @translated
    def keep(self, name: str, options: Json) -> None:
        kept = json.dumps(storable(options), ensure_ascii=False)
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        with self._db.transaction() as db:
            sql = "INSERT OR REPLACE INTO preset (name, used_at, options) VALUES (?, ?, ?)"
            db.execute(sql, (storable(name), now, kept))

    @translated
    def delete(self, name: str) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM preset WHERE name = ?", (storable(name),))
