"""Earlier results of the local library's recordings."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.sqlite.database import Database, translated, update
from echostream_ui.library.sqlite.rows import analysis_columns, analysis_from, analysis_of
from echostream_ui.library.sqlite.search import index_text
from echostream_ui.library.values import Json, storable
from echostream_ui.library.versions import Version

_STAY = ("media_id", "bookmarks")
"""What is about the sound and not about its text."""


class SqliteVersions:
    """A `Versions` in the library's database: each is an analysis as JSON."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @translated
    def all(self, media_id: str) -> list[Version]:
        sql = (
            "SELECT number, replaced_at, json_extract(analysis, '$.response.engine') AS engine,"
            " json_extract(analysis, '$.response.model') AS model,"
            " (SELECT count(*) FROM json_each(analysis, '$.edits')) AS edits"
            " FROM version WHERE media_id = ? ORDER BY number DESC"
        )
        return [
            Version(
                id=str(row["number"]),
                replaced_at=datetime.fromisoformat(row["replaced_at"]),
                engine=row["engine"],
                model=row["model"],
                edits=row["edits"],
            )
            for row in self._db.rows(sql, media_id)
        ]

    @translated
    def read(self, media_id: str, version_id: str) -> Analysis | None:
        sql = "SELECT analysis FROM version WHERE media_id = ? AND number = ?"
        found = self._db.rows(sql, media_id, version_id)
        return analysis_from(media_id, json.loads(found[0]["analysis"])) if found else None

    @translated
    def replace(self, after: Analysis, version_id: str | None = None) -> None:
        results = {name: value for name, value in asdict(after).items() if name not in _STAY}
        response: Json = storable(after.response or {})
        columns = analysis_columns(results | {"action_items": after.action_items})
        facts = {"duration_s": response.get("duration"), "language": response.get("language")}
        with self._db.transaction() as db:
            sql = "SELECT * FROM analysis WHERE media_id = ? AND response IS NOT NULL"
            row = db.execute(sql, (after.media_id,)).fetchone()
            if row is None:  # deleted meanwhile
                return
            now = datetime.now(UTC).isoformat()
            kept = json.dumps(storable(asdict(analysis_of(row))), ensure_ascii=False)
            sql = "INSERT INTO version (media_id, replaced_at, analysis) VALUES (?, ?, ?)"
            db.execute(sql, (after.media_id, now, kept))
            update(db, "analysis", "media_id", after.media_id, columns)
            update(db, "media", "id", after.media_id, facts)
            index_text(db, after.media_id, response, after.edits)
            sql = "DELETE FROM version WHERE media_id = ? AND number = ?"
            db.execute(sql, (after.media_id, version_id))
