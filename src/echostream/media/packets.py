"""The output of our ffmpeg processes: PCM16 in packets, with times and the number of channels.

The format is SMJPEG, old and simple, which every ffmpeg can write to a pipe. Raw PCM and WAV have
no times; Matroska has them but needs ten times the code.
https://wiki.multimedia.cx/index.php/SMJPEG
"""

from collections.abc import Iterator
from struct import Struct

from echostream.errors import InvalidAudio

_MAGIC = b"\x00\x0aSMJPEG"
_FILE_HEAD_BYTES = len(_MAGIC) + 8  # version and length follow
_CHUNK = Struct(">4sI")
_PACKET = Struct(">4siI")
"""Name, time in milliseconds, number of bytes. ffmpeg writes the low 32 bits of the time, which may
be negative."""
_CHANNELS_AT = 3
"""The position in the sound header: after 16 bits for the rate and 8 for the sample size."""
_MOST_BYTES = 64 * 1024**2


class Packets:
    """Cuts the bytes of one ffmpeg process into packets. Keeps at most one packet."""

    def __init__(self) -> None:
        self.channels = 0
        """0 until the header has been read. No packet comes before it."""
        self._bytes = b""
        self._has_begun = False

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """The packets that are complete: when each starts, in milliseconds, and its PCM16.

        Raises InvalidAudio if the bytes do not have the format that ffmpeg was told to write.
        """
        self._bytes += chunk
        if len(self._bytes) < _FILE_HEAD_BYTES:
            return
        at = 0
        if not self._has_begun:
            if not self._bytes.startswith(_MAGIC):
                raise _nonsense()
            self._has_begun, at = True, _FILE_HEAD_BYTES
        while part := _part(self._bytes, at):
            name, time_ms, begin, end = part
            if name == b"_SND":
                self.channels = self._bytes[begin + _CHANNELS_AT]
            elif name == b"sndD":
                if not self.channels:
                    raise _nonsense()
                yield time_ms, self._bytes[begin:end]
            at = end
        self._bytes = self._bytes[at:]


def _part(data: bytes, at: int) -> tuple[bytes, int, int, int] | None:
    """Name, time, start and end of the part of the stream at `at`; None if it is incomplete."""
    name = data[at : at + 4]
    if name in (b"HEND", b"DONE"):
        return name, 0, at + 4, at + 4
    if name not in (b"sndD", b"_SND", b"_TXT"):
        if len(name) == 4:
            raise _nonsense()
        return None
    layout = _PACKET if name == b"sndD" else _CHUNK
    begin = at + layout.size
    if len(data) < begin:
        return None
    _, *time_ms, size = layout.unpack_from(data, at)
    if size > _MOST_BYTES:
        raise _nonsense()
    end = begin + size
    return (name, time_ms[0] if time_ms else 0, begin, end) if end <= len(data) else None


def _nonsense() -> InvalidAudio:
    return InvalidAudio("The file is not audio or video that can be decoded.")
