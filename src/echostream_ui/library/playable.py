"""Copies of local recordings that browsers can play."""

from pathlib import Path

from echostream.media import make_playable
from echostream_ui.library.media import Source

_PLAYED = {
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".aac": "audio/aac",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".webm": "video/webm",
    ".weba": "audio/webm",
}
"""What browsers play, and its media type."""

_FROM_RECORDERS = {".webm", ".weba", ".ogg"}
"""Files recorded by a browser have no index, so players cannot seek in them."""

_TIMEOUT_S = 3600.0


def copy_of(path: Path) -> Path:
    """The path of a recording's playable copy, beside the recording. It need not exist."""
    return path.with_name(f"{path.stem}.playable.mp3")


def served(path: Path) -> Path:
    """The file to serve to browsers: the copy if there is one."""
    copy = copy_of(path)
    return copy if copy.exists() else path


def media_type_of(path: Path) -> str | None:
    """The media type of a file that browsers play; None for others."""
    return _PLAYED.get(path.suffix.lower())


def needs_copy(path: Path, source: Source) -> bool:
    """Whether browsers cannot play this recording well and there is no copy yet."""
    suffix = path.suffix.lower()
    recorded = source in ("live", "microphone") and suffix in _FROM_RECORDERS
    return (suffix not in _PLAYED or recorded) and not copy_of(path).exists()


async def make_copy(path: Path) -> None:
    """Makes the copy: about a minute for one or two hours of audio. Raises EchoStreamError."""
    await make_playable(path, copy_of(path), timeout_s=_TIMEOUT_S)
