"""What browsers can play of a recording that lies in a local file."""

from pathlib import Path

from echostream.media import make_playable
from echostream_ui.library.store import Source

_PLAYED = {
    *(".mp3", ".m4a", ".mp4", ".m4v", ".aac", ".wav", ".flac"),
    *(".ogg", ".oga", ".opus", ".webm", ".weba"),
}
_FROM_RECORDERS = {".webm", ".weba", ".ogg"}
"""What a browser records has no index, so that players cannot find a place in it."""

_TIMEOUT_S = 3600.0


def copy_of(path: Path) -> Path:
    """Where the playable copy of a recording lies, if one was made: beside it."""
    return path.with_name(f"{path.stem}.playable.mp3")


def served(path: Path) -> Path:
    """The file that a browser is given."""
    copy = copy_of(path)
    return copy if copy.exists() else path


def needs_copy(path: Path, source: Source) -> bool:
    """Whether browsers do not play this recording well, and there is no copy yet."""
    suffix = path.suffix.lower()
    recorded = source in ("live", "microphone") and suffix in _FROM_RECORDERS
    return (suffix not in _PLAYED or recorded) and not copy_of(path).exists()


async def make_copy(path: Path) -> None:
    """Takes about a minute for each hour or two. Raises EchoStreamError."""
    await make_playable(path, copy_of(path), timeout_s=_TIMEOUT_S)
