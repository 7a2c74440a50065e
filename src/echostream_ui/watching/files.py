"""Which files of a folder are complete recordings."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_STILL_S = 5.0
_EMPTY_STILL_S = 60.0
"""Programs make an empty file first, and may take long before they write to it."""

_SUFFIXES = frozenset(
    (
        *(".3g2", ".3gp", ".aac", ".ac3", ".aif", ".aiff", ".amr", ".ape", ".au", ".avi", ".caf"),
        *(".dts", ".flac", ".flv", ".m2ts", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov"),
        *(".mp2", ".mp3", ".mp4", ".mpeg", ".mpg", ".mts", ".oga", ".ogg", ".ogv", ".opus"),
        *(".ra", ".rm", ".spx", ".ts", ".tta", ".voc", ".wav", ".weba", ".webm", ".wma", ".wmv"),
        *(".wv",),
    )
)
"""Of audio and video. Names of files that are still being written end in something else, such as
`.part`, `.crdownload` or `~`; and what is exported is no recording."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was at one moment."""

    path: Path
    size_bytes: int
    mtime_ns: int


class Stillness:
    """Tells which files have not changed for some seconds. For use in one thread at a time."""

    def __init__(self, still_s: float = _STILL_S, empty_still_s: float = _EMPTY_STILL_S) -> None:
        self._still_s = still_s
        self._empty_still_s = empty_still_s
        self._since: dict[Path, tuple[Seen, float]] = {}

    def still(self, found: list[Seen], now_s: float) -> list[Seen]:
        """Returns the files that are as they were long enough. `found` are all there are, `now_s`
        is a time that only grows."""
        before = self._since
        self._since = {}
        for seen in found:
            known = before.get(seen.path)
            since_s = known[1] if known is not None and known[0] == seen else now_s
            self._since[seen.path] = (seen, since_s)
        return [
            seen for seen, since_s in self._since.values() if self._is_still(seen, now_s - since_s)
        ]

    def _is_still(self, seen: Seen, for_s: float) -> bool:
        return for_s >= (self._still_s if seen.size_bytes else self._empty_still_s)


def recordings_in(folder: Path) -> Iterator[Seen]:
    """Yields the recordings in a folder and those below it, by their names. Raises OSError if the
    folder itself cannot be read. Links to folders are not followed."""

    def fail(error: OSError) -> None:
        if error.filename == str(folder):
            raise error

    for place, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(names):
            if _is_recording(name) and (seen := seen_at(Path(place, name))):
                yield seen


def seen_at(path: Path) -> Seen | None:
    """Returns None if the file is gone or is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Seen(path, found.st_size, found.st_mtime_ns) if path.is_file() else None


def _is_recording(name: str) -> bool:
    return Path(name).suffix.lower() in _SUFFIXES and not _is_hidden(name)


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "~"))
