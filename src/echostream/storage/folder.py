"""Storage in a folder."""

import errno
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from echostream.private_files import make_private_folder, open_private
from echostream.storage.base import Entry, part_of


class Folder:
    """A folder on this machine or mounted on it.

    It does not use fsspec, whose local files cannot be flushed to disk before they get their name.
    """

    faults: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, path: str, blocks: Iterable[bytes]) -> None:
        target = self._root / path
        make_private_folder(target.parent)
        part = self._root / part_of(path)
        try:
            with open_private(part, "xb") as file:
                for block in blocks:
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)

    def open(self, path: str, opened: ExitStack, stop: threading.Event) -> BinaryIO | None:
        try:
            return opened.enter_context((self._root / path).open("rb"))
        except FileNotFoundError:
            self._check_folder_of(path)
            return None

    def exists(self, path: str) -> bool:
        if (self._root / path).is_file():
            return True
        self._check_folder_of(path)
        return False

    def read(self, path: str) -> bytes | None:
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, path: str) -> None:
        (self._root / path).unlink(missing_ok=True)

    def _check_folder_of(self, path: str) -> None:
        """Raises FileNotFoundError if the whole folder is missing, for instance because the file
        system with it is not mounted. Every check of the storage makes it."""
        if not (self._root / path).parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the folder of the storage is missing")

    def list(self, folder: str) -> Iterator[Entry]:
        now = time.time()
        try:
            found = list(os.scandir(self._root / folder))
        except FileNotFoundError:
            return
        for entry in found:
            with suppress(FileNotFoundError):  # removed by somebody else meanwhile
                if entry.is_file(follow_symlinks=False):
                    yield Entry(f"{folder}/{entry.name}", now - entry.stat().st_mtime)

    def abort_uploads(self, older_than_s: float) -> int:
        return 0  # in a folder these remains are files, which `list` includes


def _sync_folder(folder: Path) -> None:
    """Makes sure that a new name in `folder` survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
