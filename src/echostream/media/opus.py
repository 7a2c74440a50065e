"""Opus packets without a container, as WebCodecs, WebRTC and Discord give them, put into an Ogg
stream that ffmpeg can read. Each packet gets a page of its own, so none waits for the next."""

import secrets
import zlib
from collections.abc import Iterator
from struct import Struct

from echostream.errors import InvalidAudio

_RATE_HZ = 48_000
"""Opus counts samples at this rate, whatever the encoder was given."""
_TICK = _RATE_HZ // 400
"""The shortest frame, 2.5 ms, in samples."""
_SILK_TICKS, _HYBRID_TICKS, _CELT_TICKS = (4, 8, 16, 24), (4, 8), (1, 2, 4, 8)
_MOST_TICKS = 48
_MOST_FRAME_BYTES = 1275
_MOST_PACKET_BYTES = 255 * 255 - 1
"""More does not fit in one page of Ogg."""
_USUAL_TICKS = 8

_PAGE = Struct("<4sBBqIIIB")
_CRC_AT = 22
_FIRST, _FOLLOWING = 2, 0
_HEAD = Struct("<8sBBHIhB")
_VENDOR = b"echostream"
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def packet_ticks(packet: bytes) -> int:
    """How long a packet is, in steps of 2.5 ms. Raises InvalidAudio if it breaks a rule that all
    packets keep (RFC 6716, section 3.4)."""
    if not packet:
        raise _malformed()
    each = _frame_ticks(packet[0] >> 3)
    sizes = list(_frame_sizes(packet))
    if each * len(sizes) > _MOST_TICKS or max(sizes) > _MOST_FRAME_BYTES:
        raise _malformed()
    return each * len(sizes)


def _frame_ticks(config: int) -> int:
    if config < 12:
        return _SILK_TICKS[config % 4]
    return _HYBRID_TICKS[config % 2] if config < 16 else _CELT_TICKS[config % 4]


def _frame_sizes(packet: bytes) -> Iterator[int]:
    """How many bytes each frame has. There is at least one frame."""
    code, rest = packet[0] & 3, len(packet) - 1
    if code == 0:
        yield rest
    elif code == 1:
        yield from _equal(rest, 2)
    elif code == 2:
        yield from _told(packet, 1, 2, rest)
    else:
        yield from _many(packet, rest)


def _many(packet: bytes, rest: int) -> Iterator[int]:
    """The frames of a packet that tells their number, and may have padding."""
    if rest < 1 or not (count := packet[1] & 0x3F):
        raise _malformed()
    at, rest = 2, rest - 1
    more = bool(packet[1] & 0x40)
    while more:
        if at >= len(packet):
            raise _malformed()
        more = packet[at] == 255
        rest -= 255 if more else packet[at] + 1
        at += 1
    yield from _told(packet, at, count, rest) if packet[1] & 0x80 else _equal(rest, count)


def _equal(rest: int, count: int) -> Iterator[int]:
    if rest < 0 or rest % count:
        raise _malformed()
    yield from [rest // count] * count


def _told(packet: bytes, at: int, count: int, rest: int) -> Iterator[int]:
    """Frames whose sizes stand before them, apart from that of the last one, which has the rest."""
    for _ in range(count - 1):
        size, took = _size(packet, at)
        at, rest = at + took, rest - took - size
        yield size
    if rest < 0:
        raise _malformed()
    yield rest


def _size(packet: bytes, at: int) -> tuple[int, int]:
    """A size, and how many bytes it takes."""
    told = packet[at : at + 2]
    if not told or (told[0] >= 252 and len(told) < 2):
        raise _malformed()
    return (told[0], 1) if told[0] < 252 else (told[0] + 4 * told[1], 2)


def _malformed() -> InvalidAudio:
    return InvalidAudio("this is not an Opus packet; silence is put in its place")


class OpusStream:
    """The packets of one client, in order, as a stream in Ogg (RFC 3533 and 7845)."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._serial = secrets.randbits(32)
        self._number = 0
        self._samples = 0
        self._ticks = _USUAL_TICKS

    def head(self) -> bytes:
        """What a decoder gets before any packet."""
        self._number = self._samples = 0
        head = _HEAD.pack(b"OpusHead", 1, self._channels, 0, _RATE_HZ, 0, 0)
        tags = b"OpusTags" + len(_VENDOR).to_bytes(4, "little") + _VENDOR + bytes(4)
        return self._page(head, _FIRST) + self._page(tags)

    def packet(self, packet: bytes) -> bytes:
        """The next packet. Raises InvalidAudio if it is malformed."""
        ticks = packet_ticks(packet)
        if len(packet) > _MOST_PACKET_BYTES:
            raise _malformed()
        self._ticks = ticks
        self._samples += ticks * _TICK
        return self._page(packet)

    def silence(self) -> bytes:
        """In the place of a packet that is lost: silence as long as the packet before it."""
        pages, left = b"", self._ticks
        for number, ticks in reversed(list(enumerate(_CELT_TICKS))):
            while left >= ticks:
                left -= ticks
                self._samples += ticks * _TICK
                pages += self._page(bytes([28 + number << 3, 0xFF, 0xFE]))
        return pages

    def _page(self, packet: bytes, kind: int = _FOLLOWING) -> bytes:
        lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        head = (b"OggS", 0, kind, self._samples, self._serial, self._number, 0, len(lacing))
        page = bytearray(_PAGE.pack(*head) + lacing + packet)
        page[_CRC_AT : _CRC_AT + 4] = _checksum(page).to_bytes(4, "little")
        self._number += 1
        return bytes(page)


def _checksum(page: bytes | bytearray) -> int:
    """Ogg's CRC-32 has zlib's polynomial with the bits of each byte in the other order."""
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(mirrored.to_bytes(4, "big").translate(_REVERSED)[::-1], "big")
