"""The protocol of a place to store files, and what the two implementations share."""

import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, Protocol

FOLDERS = ("staged", "results")

# Also the size of the parts of multipart uploads: S3 allows 10,000 parts of 5 MiB or more.
BLOCK_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    path: str
    age_s: float


class Store(Protocol):
    """Blocking file operations on paths relative to the root. They raise `faults`."""

    faults: tuple[type[Exception], ...]

    def write(self, path: str, blocks: Iterable[bytes]) -> None:
        """Writes all of `blocks`, or nothing if it raises. Only the last one may be short."""

    def open(self, path: str, opened: ExitStack, stop: threading.Event) -> BinaryIO | None:
        """A real file on this machine, registered with `opened`; None if it is missing."""

    def exists(self, path: str) -> bool: ...

    def read(self, path: str) -> bytes | None: ...

    def delete(self, path: str) -> None:
        """A missing file is no error."""

    def list(self, folder: str) -> Iterable[Entry]:
        """The files directly in a folder; none if the folder is missing."""

    def abort_uploads(self, older_than_s: float) -> int:
        """Removes the remains of broken writes that are not files; returns how many."""


class Stopped(Exception):
    """Ends a thread whose caller was cancelled. It reaches nobody."""


def blocks_of(file: BinaryIO, stop: threading.Event) -> Iterator[bytes]:
    """All of a seekable file; raises Stopped at the next block once `stop` is set."""
    file.seek(0)
    while True:
        block = file.read(BLOCK_BYTES)
        if stop.is_set():
            raise Stopped
        if not block:
            return
        yield block


def part_of(path: str) -> str:
    """A new temporary name in the folder of `path`, which `_OURS` recognises as a remainder."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{secrets.token_hex(8)}.part"
