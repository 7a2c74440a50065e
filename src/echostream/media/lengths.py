"""Wrong lengths in the headers of files.

ffmpeg trusts these lengths and would leave out the audio after them.
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
    """The options that ffmpeg needs to read all of an open file."""
    head = os.pread(descriptor, _RIFF_HEAD_BYTES, 0)
    if head.startswith(b"RIFF") and head.endswith(b"WAVE") and _is_cut_short(descriptor):
        return ("-ignore_length", "1")
    if head.startswith(b"ID3") and _is_all_tag(descriptor, head):
        # The format is named, because ffmpeg would look for it after the tag.
        return ("-f", "mp3", "-skip_initial_bytes", str(_ID3_HEAD_BYTES))
    return ()


def _is_cut_short(descriptor: int) -> bool:
    """Whether a WAV file has more sound than its header says.

    A recorder that loses power leaves an earlier length in the header. After the samples there may
    only be another chunk, which starts with its name, or padding with zeros.
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
    """Whether the ID3 tag claims to be as long as the file; broken taggers write that."""
    size = 0
    for digit in head[6:_ID3_HEAD_BYTES]:
        size = size << 7 | digit & 0x7F
    return _ID3_HEAD_BYTES + size >= os.fstat(descriptor).st_size
