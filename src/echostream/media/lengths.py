"""Lengths in the heads of files that say less, or more, than there is.

ffmpeg believes these, and would leave out what lies behind them.
"""

import os
import string
from struct import Struct

_RIFF_HEAD_BYTES = 12
_CHUNK = Struct("<4sI")
_MOST_CHUNKS = 100
_MOST_PADDING_BYTES = 1024**2
_NAME_BYTES = frozenset((string.ascii_letters + string.digits + " _").encode())
_ID3_HEAD_BYTES = 10


def input_options(descriptor: int) -> tuple[str, ...]:
    """What ffmpeg must be told to read all of an open file."""
    head = os.pread(descriptor, _RIFF_HEAD_BYTES, 0)
    if head.startswith(b"RIFF") and head.endswith(b"WAVE") and _is_cut_short(descriptor):
        return ("-ignore_length", "1")
    if head.startswith(b"ID3") and _is_all_tag(descriptor, head):
        # The name of the format, as ffmpeg looks for it behind the tag.
        return ("-f", "mp3", "-skip_initial_bytes", str(_ID3_HEAD_BYTES))
    return ()


def _is_cut_short(descriptor: int) -> bool:
    """Whether sound goes on behind the samples that a WAV file admits to.

    A recorder that loses its power leaves the length of an earlier moment. What may properly
    follow the samples is another chunk, which begins with its name, or padding with zeros.
    """
    at, end = _RIFF_HEAD_BYTES, os.fstat(descriptor).st_size
    for _ in range(_MOST_CHUNKS):
        head = os.pread(descriptor, _CHUNK.size, at)
        if len(head) < _CHUNK.size:
            return False
        name, size = _CHUNK.unpack(head)
        at += _CHUNK.size + size + size % 2
        if name == b"data":
            following = os.pread(descriptor, _MOST_PADDING_BYTES, at)
            is_sound = bool(following.strip(b"\0")) and not set(following[:4]) <= _NAME_BYTES
            return end - at >= _CHUNK.size and size > 0 and is_sound
    return False


def _is_all_tag(descriptor: int, head: bytes) -> bool:
    """Whether an ID3 tag is said to be as long as the file, as a broken tagger leaves it."""
    size = 0
    for digit in head[6:_ID3_HEAD_BYTES]:
        size = size << 7 | digit & 0x7F
    return _ID3_HEAD_BYTES + size >= os.fstat(descriptor).st_size
