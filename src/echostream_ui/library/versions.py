"""What the results of a recording were before it was transcribed again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from echostream_ui.library.analysis import Analysis


@dataclass(frozen=True, slots=True)
class Version:
    """Earlier results of a recording, in short. `edits` is the number of lines that the user had
    changed."""

    id: str
    replaced_at: datetime
    engine: str | None
    model: str | None
    edits: int


class Versions(Protocol):
    """Earlier results of recordings. Methods block and may raise StoreError, as `Store`'s do."""

    def all(self, media_id: str) -> list[Version]:
        """Returns the versions of a recording, the one that was replaced last first."""

    def read(self, media_id: str, version_id: str) -> Analysis | None: ...

    def replace(self, after: Analysis, version_id: str | None = None) -> None:
        """Replaces the results of a completed recording; the present ones become a version. Either
        both happen or neither. If `after` was a version itself, `version_id` is its id, and that
        version is deleted. Title, tags, bookmarks and audio stay."""
