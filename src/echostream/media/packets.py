"""What ffmpeg writes for us: PCM16 in packets that carry the number of channels and their times.

The format is SMJPEG, an old and simple one that every ffmpeg can write to a pipe. Raw PCM has no
times, and WAV neither; Matroska has them, at ten times the code.
https://wiki.multimedia.cx/index.php/SMJPEG
"""

from collections.abc import Iterator
from struct import Struct

from echostream.errors import InvalidAudio

_MAGIC = b"\x00\x0aSMJPEG"
_FILE_HEAD_BYTES = len(_MAGIC) + 8  # version and length follow
_CHUNK = Struct(">4sI")
_PACKET = Struct(">4siI")
"""Name, time in milliseconds, bytes. ffmpeg writes the low 32 bits of the time, which may be below
zero."""
_CHANNELS_AT = 3
"""In the description of the sound: after 16 bits of sampling rate and 8 of bits per sample."""
_MOST_BYTES = 64 * 1024**2


class Packets:
    """Cuts the bytes of one ffmpeg process into packets. Holds no more than a packet."""

    def __init__(self) -> None:
        self.channels = 0
        """0 until the head has been read; no packet comes before it."""
        self._bytes = bytearray()
        self._has_begun = False

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Give the packets that are complete: when each begins, in milliseconds, and its PCM16.

        Raises InvalidAudio if the bytes are not what ffmpeg was told to write.
        """
        self._bytes += chunk
        at = 0
        with memoryview(bytes(self._bytes)) as data:
            if not self._has_begun:
                if len(data) < _FILE_HEAD_BYTES:
                    return
                at = self._begin(data)
            while head := self._head(data, at):
                name, time_ms, begin, end = head
                if end > len(data):
                    break
                if name == b"sndD":
                    yield time_ms, bytes(data[begin:end])
                elif name == b"_SND":
                    self.channels = data[begin + _CHANNELS_AT]
                at = end
        del self._bytes[:at]

    def _begin(self, data: memoryview) -> int:
        if data[: len(_MAGIC)] != _MAGIC:
            raise _nonsense()
        self._has_begun = True
        return _FILE_HEAD_BYTES

    def _head(self, data: memoryview, at: int) -> tuple[bytes, int, int, int] | None:
        """The name, time, begin and end of the part that begins at `at`, if it is all there."""
        room = len(data) - at
        name = bytes(data[at : at + 4])
        if name in (b"HEND", b"DONE"):
            return name, 0, at + 4, at + 4
        time_ms, begin = 0, at + _CHUNK.size
        if name == b"sndD":
            if room < _PACKET.size:
                return None
            _, time_ms, size = _PACKET.unpack_from(data, at)
            begin = at + _PACKET.size
        elif name in (b"_SND", b"_TXT"):
            if room < _CHUNK.size:
                return None
            _, size = _CHUNK.unpack_from(data, at)
        elif room < len(name) or room < 4:
            return None
        else:
            raise _nonsense()
        if size > _MOST_BYTES:
            raise _nonsense()
        return name, time_ms, begin, begin + size


def _nonsense() -> InvalidAudio:
    return InvalidAudio("The file is not audio or video that can be decoded.")
