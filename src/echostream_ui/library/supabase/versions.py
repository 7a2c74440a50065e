"""Earlier results of the signed-in user's recordings."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.supabase.rows import analysis_from
from echostream_ui.library.versions import Version


class SupabaseVersions:
    """A `Versions` in a Supabase project."""

    def __init__(self, call: Callable[..., Any]) -> None:
        """`call` calls a database function by its name."""
        self._call = call

    def all(self, media_id: str) -> list[Version]:
        return [
            Version(**row | {"replaced_at": datetime.fromisoformat(row["replaced_at"])})
            for row in self._call("library_versions", of_media=media_id)
        ]

    def read(self, media_id: str, version_id: str) -> Analysis | None:
        found = self._call("library_version", of_media=media_id, of_version=version_id)
        return analysis_from(media_id, found) if found else None

    def replace(self, after: Analysis, version_id: str | None = None) -> None:
        self._call(
            "library_replace",
            of_media=after.media_id,
            results=asdict(after),
            of_version=version_id,
        )
