"""Opus packets without a container, and the Ogg stream that is made of them for ffmpeg."""

import subprocess
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import SAMPLE
from echostream.errors import InvalidAudio
from echostream.media import OpusStream, ffmpeg_path
from echostream.media.opus import packet_ticks
from ogg import opus_packets

MS = {2.5: 1, 5.0: 2, 10.0: 4, 20.0: 8, 40.0: 16, 60.0: 24}


def encoded(*arguments: str) -> bytes:
    """The first seconds of the sample as an Ogg Opus file."""
    command = [ffmpeg_path(), "-v", "error", "-t", "3", "-i", str(SAMPLE)]
    command += ["-c:a", "libopus", *arguments, "-f", "ogg", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def decoded(ogg: bytes) -> np.ndarray:
    command = [ffmpeg_path(), "-v", "error", "-err_detect", "crccheck", "-i", "-"]
    command += ["-f", "s16le", "-ar", "16000", "-ac", "1", "-"]
    ran = subprocess.run(command, input=ogg, capture_output=True, check=True)
    assert ran.stderr == b""
    return np.frombuffer(ran.stdout, "<i2")


def stream(packets: Iterable[bytes], channels: int = 1) -> bytes:
    made = OpusStream(channels)
    return made.head() + b"".join(made.packet(packet) for packet in packets)


@pytest.mark.parametrize("ms", MS)
@pytest.mark.parametrize("form", [("-b:a", "12k"), ("-b:a", "64k"), ("-ac", "2")])
def test_packets_are_decoded_as_their_file_is(ms: float, form: tuple[str, ...]) -> None:
    file = encoded("-frame_duration", f"{ms:g}", *form)
    packets = opus_packets(file)
    assert {packet_ticks(packet) for packet in packets} == {MS[ms]}
    found = decoded(stream(packets, channels=2 if "-ac" in form else 1))
    expected = decoded(file)
    assert len(expected) > 2.9 * 16_000
    # A file's header says how much of the start is no sound. Both ends are resampled otherwise.
    skipped = int.from_bytes(file[38:40], "little") // 3
    inside = slice(100, len(expected) - 100)
    assert np.array_equal(found[skipped:][inside], expected[inside])


@pytest.mark.parametrize("ms", MS)
def test_a_lost_packet_leaves_the_time_as_it_is(ms: float) -> None:
    packets = opus_packets(encoded("-frame_duration", f"{ms:g}"))
    made = OpusStream(1)
    pages = [made.head(), *(made.packet(packet) for packet in packets[:20])]
    pages += [made.silence() for _ in packets[20:30]]
    pages += [made.packet(packet) for packet in packets[30:]]
    found = decoded(b"".join(pages))
    assert len(found) == len(decoded(stream(packets)))


def test_a_decoder_that_starts_anew_reads_on() -> None:
    packets = opus_packets(encoded())
    made = OpusStream(1)
    before = made.head() + b"".join(made.packet(packet) for packet in packets[:50])
    after = made.head() + b"".join(made.packet(packet) for packet in packets[50:])
    assert len(decoded(before)) + len(decoded(after)) == len(decoded(stream(packets)))


@pytest.mark.parametrize(
    ("packet", "ticks"),
    [
        (bytes([0 << 3]) + b"x", 4),
        (bytes([15 << 3]) + b"x", 8),
        (bytes([31 << 3 | 4]) + b"x", 8),
        (bytes([16 << 3]), 1),  # nothing was said
        (bytes([31 << 3 | 1]) + b"xx", 16),
        (bytes([31 << 3 | 2, 1]) + b"xyy", 16),
        (bytes([31 << 3 | 2, 252, 0]) + bytes(252) + b"y", 16),
        (bytes([16 << 3 | 3, 48]), 48),
        (bytes([31 << 3 | 3, 0x80 | 3, 1, 1]) + b"xyz", 24),
        (bytes([31 << 3 | 3, 0x40 | 2, 3]) + b"xy" + bytes(3), 16),
        (bytes([31 << 3 | 3, 0x40 | 1, 255, 0]) + b"x" + bytes(254), 8),
    ],
)
def test_how_long_packets_are(packet: bytes, ticks: int) -> None:
    assert packet_ticks(packet) == ticks


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        bytes([31 << 3]) + bytes(1276),
        bytes([31 << 3 | 1]) + b"odd",
        bytes([31 << 3 | 2]),
        bytes([31 << 3 | 2, 252]),
        bytes([31 << 3 | 2, 5]) + b"less",
        bytes([31 << 3 | 3]),
        bytes([31 << 3 | 3, 0]),
        bytes([31 << 3 | 3, 7]) + bytes(7),  # more than 120 ms
        bytes([31 << 3 | 3, 2]) + b"odd",
        bytes([31 << 3 | 3, 0x40 | 1]),
        bytes([31 << 3 | 3, 0x40 | 1, 9]) + b"less",
        bytes([31 << 3 | 3, 0x80 | 2, 9]) + b"less",
    ],
)
def test_packets_that_break_a_rule(packet: bytes) -> None:
    with pytest.raises(InvalidAudio, match="not an Opus packet"):
        OpusStream(1).packet(packet)


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_packet_or_is_refused(data: bytes) -> None:
    try:
        ticks = packet_ticks(data)
    except InvalidAudio:
        return
    assert 1 <= ticks <= 48
    page = OpusStream(1).packet(data)
    assert opus_packets(page, heads=0) == [data]
