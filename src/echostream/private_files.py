"""Files and folders that only their user may open, whatever the umask says: recordings and what was
said in them are nobody else's business on a machine with several users."""

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

_FOLDER, _FILE = 0o700, 0o600
_OF_OTHERS = 0o007


def make_private_folder(folder: Path) -> None:
    """Makes a folder of ours, and those above it, if they are missing. If it exists, other users
    lose their access, but not its group, which may share it on purpose. Raises OSError."""
    missing = [each for each in folder.parents if not each.exists()]
    for each in reversed(missing):
        each.mkdir(_FOLDER, exist_ok=True)
    folder.mkdir(_FOLDER, exist_ok=True)
    _close_to_others(folder)


def make_private_file(path: Path) -> None:
    """Makes an empty file for a program that opens it by its name; closes an existing one to other
    users. Raises OSError."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, _FILE))
    _close_to_others(path)


def open_private(path: Path, mode: str, **options: Any) -> IO[Any]:
    """Like `open`; a file that this makes is private. Raises OSError."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, _FILE), **options)


def _close_to_others(path: Path) -> None:
    mode = path.stat().st_mode & 0o7777
    if mode & _OF_OTHERS:
        with suppress(OSError):  # it is another user's, or its file system knows no users
            path.chmod(mode & ~_OF_OTHERS)
