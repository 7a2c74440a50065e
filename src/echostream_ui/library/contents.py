"""What audio is, whatever it is called: its digest."""

import hashlib
from collections.abc import Iterable
from typing import BinaryIO

_PART_BYTES = 1 << 20


def digest_of(audio: BinaryIO) -> str:
    """Returns the SHA-256 of an open file in hexadecimal. Reads it from its start and leaves it
    there. Raises OSError."""
    audio.seek(0)
    found = digest_of_parts(iter(lambda: audio.read(_PART_BYTES), b""))
    audio.seek(0)
    return found


def digest_of_parts(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()
