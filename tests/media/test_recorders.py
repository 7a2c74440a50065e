"""Files as telephones, recorders and browsers write them, and the ways in which they are broken.

The pitch rises every second, so that what is lost, doubled or out of order shows.
"""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from echostream.media import decode
from media.waves import MakeMedia, each, pitches, steps

LIMITS = {"max_audio_s": 60.0, "timeout_s": 30.0}
RISING = [400, 500, 600, 700]
SOUND = steps(4.3)
NARROW = (*SOUND, "-ar", "8000", "-ac", "1")
COVER = ("-f", "lavfi", "-i", "testsrc=d=0.04:s=64x64:r=25")
PICTURE = ("-map", "0", "-map", "1", "-c:v", "mjpeg", "-disposition:v", "attached_pic")
VIDEO = ("-f", "lavfi", "-i", "testsrc=d=4.3:s=64x64:r=10")

FILES = {
    # telephones
    "mulaw.wav": (*NARROW, "-c:a", "pcm_mulaw"),
    "alaw.wav": (*NARROW, "-c:a", "pcm_alaw"),
    "mulaw.au": (*NARROW, "-c:a", "pcm_mulaw"),
    "g722.wav": (*SOUND, "-ar", "16000", "-c:a", "g722"),
    "g726.wav": (*NARROW, "-c:a", "g726"),
    "adpcm.wav": (*NARROW, "-c:a", "adpcm_ima_wav"),
    "narrow.amr": (*NARROW, "-c:a", "libopencore_amrnb"),
    "narrow.3gp": (*NARROW, "-c:a", "libopencore_amrnb"),
    "video.3gp": (*VIDEO, *NARROW, "-s", "176x144", "-c:v", "h263", "-c:a", "libopencore_amrnb"),
    "aac.3gp": (*SOUND, "-c:a", "aac"),
    # Apple
    "alac.caf": (*SOUND, "-c:a", "alac"),
    "pcm.caf": (*SOUND, "-c:a", "pcm_s24be"),
    "ima4.caf": (*SOUND, "-c:a", "adpcm_ima_qt"),
    "pcm.mov": (*VIDEO, *SOUND, "-c:a", "pcm_s16be"),
    "alac.mov": (*VIDEO, *SOUND, "-c:a", "alac"),
    "aac.mov": (*VIDEO, *SOUND, "-c:a", "aac"),
    "float.mov": (*SOUND, "-c:a", "pcm_f32le"),
    "memo.m4a": (*SOUND, "-c:a", "aac", "-movflags", "+faststart"),
    # messengers
    "note.ogg": (*SOUND, "-ar", "16000", "-c:a", "libopus", "-b:a", "16k"),
    "note.opus": (*SOUND, "-c:a", "libopus", "-application", "voip", "-b:a", "16k"),
    "note.mp4": (*SOUND, "-c:a", "libopus"),
    "note.webm": (*SOUND, "-c:a", "libopus", "-dtx", "1"),
    # large files
    "rf64.wav": (*SOUND, "-rf64", "always"),
    "large.w64": SOUND,
    # covers
    "cover.mp3": (*SOUND, *COVER, *PICTURE),
    "cover.m4a": (*SOUND, *COVER, *PICTURE),
    "cover.flac": (*SOUND, *COVER, *PICTURE),
    "plain.ogg": (*SOUND, "-c:a", "libvorbis"),
}  # fmt: skip


@pytest.mark.usefixtures("either_ffmpeg")
@each("name", FILES, on_both=["mulaw.wav", "narrow.amr", "aac.mov", "note.ogg", "cover.mp3"])
async def test_recorders(media: MakeMedia, name: str) -> None:
    samples = await decode(media(f"rising-{name}", *FILES[name]), **LIMITS)

    assert pitches(samples) == RISING
    assert len(samples) == pytest.approx(4.3 * 16_000, abs=0.1 * 16_000)


def wav(data: bytes, *, riff_size: int, data_size: int, more: bytes = b"") -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", riff_size)
        + b"WAVE"
        + form
        + more
        + struct.pack("<4sI", b"data", data_size)
        + data
    )


async def decoded(tmp_path: Path, data: bytes) -> "np.typing.NDArray[np.int16]":
    (tmp_path / "recording").write_bytes(data)
    return await decode(tmp_path / "recording", **LIMITS)


def caf(codec: bytes, rate_hz: int, frames: int, cookie: bytes, packets: list[bytes]) -> bytes:
    """What an iPhone's recorder writes, and ffmpeg cannot."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack(">q", len(data)) + data

    def digits(number: int) -> bytes:
        return bytes([number >> 7 | 0x80, number & 0x7F]) if number > 127 else bytes([number])

    description = struct.pack(">d4sIIIII", rate_hz, codec, 0, 0, frames, 1, 0)
    table = struct.pack(">qqii", len(packets), len(packets) * frames, 0, 0)
    return b"".join(
        [
            b"caff\0\1\0\0",
            chunk(b"desc", description),
            chunk(b"kuki", cookie) if cookie else b"",
            chunk(b"pakt", table + b"".join(digits(len(packet)) for packet in packets)),
            chunk(b"data", bytes(4) + b"".join(packets)),
        ]
    )


def ogg_packets(data: bytes) -> list[bytes]:
    packets, packet, at = [], b"", 0
    while at < len(data):
        sizes = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + len(sizes)
        for size in sizes:
            packet += data[at : at + size]
            at += size
            if size < 255:
                packets.append(packet)
                packet = b""
    return packets


def adts_packets(data: bytes) -> list[bytes]:
    packets, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 3 : at + 6], "big") >> 5 & 0x1FFF
        packets.append(data[at + 7 : at + size])
        at += size
    return packets


@pytest.mark.usefixtures("either_ffmpeg")
async def test_opus_in_caf(media: MakeMedia, tmp_path: Path) -> None:
    opus = media("steps.opus", *SOUND, "-c:a", "libopus").read_bytes()
    data = caf(b"opus", 48_000, 960, b"", ogg_packets(opus)[2:])

    assert pitches(await decoded(tmp_path, data)) == RISING


async def test_aac_in_caf(media: MakeMedia, tmp_path: Path) -> None:
    aac = media("steps.aac", *SOUND).read_bytes()
    m4a = media("steps.m4a", *SOUND).read_bytes()
    place = m4a.index(b"esds")
    size = int.from_bytes(m4a[place - 4 : place], "big")
    data = caf(b"aac ", 48_000, 1_024, m4a[place + 8 : place - 4 + size], adts_packets(aac))

    assert pitches(await decoded(tmp_path, data)) == RISING


NONE, MOST = 0, 0xFFFFFFFF
SIZES = {
    "both none": (NONE, NONE),
    "both the most": (MOST, MOST),
    "riff none": (NONE, MOST),
    "data none": (MOST, NONE),
    "signed": (0x7FFFFFFF, 0x7FFFFFFF - 36),
    "signed in data alone": (36, 0x7FFFFFFF),
    "too large": (200_000, 200_000 - 36),
    "sox": (0x7FFFF024, 0x7FFFF000),
}


def pcm_of(media: MakeMedia) -> bytes:
    return media("steps.raw", *SOUND, "-ar", "16000", "-f", "s16le").read_bytes()


@pytest.mark.usefixtures("either_ffmpeg")
@each("case", SIZES, on_both=["both none", "sox"])
async def test_streamed_wav(media: MakeMedia, tmp_path: Path, case: str) -> None:
    """A program that writes to a pipe cannot go back to write the sizes."""
    riff_size, data_size = SIZES[case]
    pcm = pcm_of(media)

    samples = await decoded(tmp_path, wav(pcm, riff_size=riff_size, data_size=data_size))

    assert samples.tobytes() == pcm


async def test_wav_of_ffmpeg_through_a_pipe(media: MakeMedia, tmp_path: Path) -> None:
    data = bytearray(media("steps.wav", *SOUND).read_bytes())
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = b"\xff" * 4

    assert pitches(await decoded(tmp_path, bytes(data))) == RISING


@pytest.mark.parametrize("share", [0.1, 0.5])
async def test_wav_that_was_never_closed(media: MakeMedia, tmp_path: Path, share: float) -> None:
    """Sizes of an early moment, as a recorder that lost its power leaves them."""
    pcm = pcm_of(media)
    size = int(len(pcm) * share) // 2 * 2

    samples = await decoded(tmp_path, wav(pcm, riff_size=size + 36, data_size=size))

    assert samples.tobytes() == pcm


@pytest.mark.parametrize("name", [b"LIST", b"id3 ", b"bext", b"_PMX", b"cue "])
async def test_wav_with_something_behind_its_sound(
    media: MakeMedia, tmp_path: Path, name: bytes
) -> None:
    pcm = pcm_of(media)
    tail = name + struct.pack("<I", 4_000) + random.Random(1).randbytes(4_000)
    whole = wav(pcm, riff_size=len(pcm) + 36 + len(tail), data_size=len(pcm)) + tail

    assert (await decoded(tmp_path, whole)).tobytes() == pcm


def id3(size: int, content: bytes) -> bytes:
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00\x00" + digits + content


def sound_of(mp3: bytes) -> bytes:
    """From the first frame on, behind the tag."""
    return mp3[10 + int.from_bytes(mp3[6:10], "big") :] if mp3[:3] == b"ID3" else mp3


def in_the_middle(mp3: bytes, junk: bytes) -> bytes:
    return mp3[: len(mp3) // 2] + junk + mp3[len(mp3) // 2 :]


def xing_says(mp3: bytes, frames: int) -> bytes:
    place = next(mp3.index(name) for name in (b"Xing", b"Info") if name in mp3)
    return mp3[: place + 8] + struct.pack(">I", frames) + mp3[place + 12 :]


JUNK = random.Random(1).randbytes(3_000).replace(b"\xff", b"\0")
MP3: dict[str, Callable[[bytes], bytes]] = {
    "junk before": lambda mp3: JUNK + mp3,
    "zeros before": lambda mp3: bytes(50_000) + mp3,
    "tag and junk before": lambda mp3: id3(100, bytes(100)) + JUNK + sound_of(mp3),
    "tag that is longer than it says": lambda mp3: id3(10, JUNK) + sound_of(mp3),
    "tag that says too much": lambda mp3: id3(500, bytes(100)) + sound_of(mp3),
    "tag that says more than there is": lambda mp3: id3(200_000_000, bytes(100)) + sound_of(mp3),
    "two tags": lambda mp3: id3(100, bytes(100)) * 2 + sound_of(mp3),
    "garbage in the middle": lambda mp3: in_the_middle(mp3, JUNK),
    "a web page in the middle": lambda mp3: in_the_middle(mp3, b"<html>502</html>" * 90),
    "tag in the middle": lambda mp3: in_the_middle(mp3, id3(3_000, JUNK)),
    "xing of too few frames": lambda mp3: xing_says(mp3, 10),
    "xing of too many frames": lambda mp3: xing_says(mp3, 1_000_000),
    "xing of none": lambda mp3: xing_says(mp3, 0),
    "no xing": lambda mp3: mp3.replace(b"Xing", b"\0\0\0\0").replace(b"Info", b"\0\0\0\0"),
    "tail of zeros": lambda mp3: mp3 + bytes(20_000),
    "old tag behind": lambda mp3: mp3 + b"TAG" + bytes(125),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["cbr", "vbr"])
@pytest.mark.usefixtures("either_ffmpeg")
@each("case", MP3, on_both=["tag and junk before", "garbage in the middle"])
async def test_broken_mp3(media: MakeMedia, tmp_path: Path, case: str, kind: str) -> None:
    rate = ("-q:a", "4") if kind == "vbr" else ("-b:a", "64k")
    whole = media(f"steps-{kind}.mp3", *SOUND, *rate).read_bytes()

    samples = await decoded(tmp_path, MP3[case](whole))

    assert pitches(samples) == RISING
    assert len(samples) == pytest.approx(4.3 * 16_000, abs=0.12 * 16_000)


@pytest.mark.parametrize("name", ["a.flac", "a.opus", "a.ogg", "a.aac", "a.mkv"])
async def test_junk_before(media: MakeMedia, tmp_path: Path, name: str) -> None:
    """As a cut of a stream begins, or a file with a tag of another kind."""
    whole = media(
        f"rising-{name}", *SOUND, *(("-c:a", "libvorbis") if name == "a.ogg" else ())
    ).read_bytes()
    tag = id3(100, bytes(100)) if name in ("a.flac", "a.aac") else b""

    assert pitches(await decoded(tmp_path, tag + whole)) == RISING
