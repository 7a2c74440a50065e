"""What a place to store files in must do, and what all of them share."""

import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, Protocol

FOLDERS = ("staged", "results")

# Also the parts of multipart uploads, of which S3 allows 10,000 of 5 MiB or more.
BLOCK_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    path: str
    age_s: float


class Store(Protocol):
    """Blocking file operations on paths relative to the root; they raise `faults`."""

    faults: tuple[type[Exception], ...]

    def write(self, path: str, blocks: Iterable[bytes]) -> None:
        """All of `blocks`, or nothing if they or the store raise. Each but the last is full."""

    def open(self, path: str, opened: ExitStack, stop: threading.Event) -> BinaryIO | None:
        """A real file on this machine, registered with `opened`; None if it is missing."""

    def read(self, path: str) -> bytes | None: ...

    def delete(self, path: str) -> None:
        """Does not mind a missing file."""

    def list(self, folder: str) -> Iterable[Entry]:
        """The files directly in a folder; none if it is missing."""

    def abort_uploads(self, older_than_s: float) -> int:
        """End what broken writes left that is not a file; gives the number."""


class Stopped(Exception):
    """Ends a thread whose caller was cancelled; nobody sees it."""


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
    """A fresh name beside `path`, which `_OURS` knows for a leftover."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{secrets.token_hex(8)}.part"
