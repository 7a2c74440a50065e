import asyncio
import gc
import io
import os
import random
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.errors import AudioTooLong, EchoStreamError, InvalidAudio
from echostream.media import decode
from echostream.media.ffmpeg import ffmpeg_path
from media.waves import MakeMedia, each, packets, sine, write_wav
from processes import children

LIMITS = {"max_audio_s": 60.0, "timeout_s": 30.0}

SINE = ("-f", "lavfi", "-i", "sine=440:d=1.5:r=48000")
VIDEO = ("-f", "lavfi", "-i", "testsrc=d=1.5:s=64x64:r=10")
EIGHT = "aevalsrc=" + "|".join(["0.9*sin(880*PI*t)"] * 8) + ":d=1.5:s=192000:c=7.1"

NOT_MEDIA = "not audio or video that can be decoded"
NO_RATE = "samples a second"
NO_TRACK = "no audio track"
NO_SAMPLES = "has no samples"
NO_BYTES = "file is empty"


def pitch_hz(samples: NDArray[np.int16]) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(samples)


async def decode_bytes(data: bytes) -> NDArray[np.int16]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        return await decode(file, **LIMITS)


# --- what can be decoded --------------------------------------------------------------------------

FORMATS = {
    "u8.wav": (*SINE, "-c:a", "pcm_u8"),
    "s16.wav": SINE,
    "s24.wav": (*SINE, "-c:a", "pcm_s24le"),
    "s32.wav": (*SINE, "-c:a", "pcm_s32le"),
    "f32.wav": (*SINE, "-c:a", "pcm_f32le"),
    "f64.wav": (*SINE, "-c:a", "pcm_f64le"),
    "alaw.wav": (*SINE, "-ar", "8000", "-c:a", "pcm_alaw"),
    "mulaw.wav": (*SINE, "-ar", "8000", "-c:a", "pcm_mulaw"),
    "adpcm.wav": (*SINE, "-c:a", "adpcm_ms"),
    "studio.wav": ("-f", "lavfi", "-i", EIGHT, "-c:a", "pcm_s24le"),
    "cd.wav": (*SINE, "-ar", "44100", "-ac", "2"),
    "rf64.wav": (*SINE, "-rf64", "always"),
    "a.w64": SINE,
    "a.mp3": SINE,
    "cover.mp3": (*SINE, *VIDEO, "-frames:v", "1", "-c:v", "png"),
    "a.mp2": SINE,
    "a.m4a": SINE,
    "faststart.m4a": (*SINE, "-movflags", "+faststart"),
    "alac.m4a": (*SINE, "-c:a", "alac"),
    "a.aac": SINE,
    "a.mp4": (*VIDEO, *SINE),
    "fragments.mp4": (*VIDEO, *SINE, "-movflags", "frag_keyframe+empty_moov"),
    "a.mov": (*VIDEO, *SINE, "-c:a", "pcm_s16le"),
    "a.3gp": (*SINE, "-c:a", "aac"),
    "a.mkv": (*VIDEO, *SINE),
    "a.webm": (*SINE, "-c:a", "libopus"),
    "live.webm": (*SINE, "-c:a", "libopus", "-f", "webm", "-live", "1"),
    "a.opus": (*SINE, "-c:a", "libopus"),
    "a.ogg": (*SINE, "-c:a", "libvorbis"),
    "pages.ogg": (*SINE, "-c:a", "libvorbis", "-page_duration", "100000"),
    "a.flac": SINE,
    "a.aiff": SINE,
    "a.au": SINE,
    "a.caf": SINE,
    "a.voc": SINE,
    "a.avi": (*VIDEO, *SINE),
    "a.wma": SINE,
    "a.flv": (*VIDEO, *SINE, "-ar", "44100"),
    "a.ts": (*VIDEO, *SINE),
    "a.mpg": (*VIDEO, *SINE, "-r", "25", "-c:a", "mp2"),
    "a.ac3": SINE,
    "a.eac3": SINE,
    "a.dts": (*SINE, "-strict", "-2"),
    "a.tta": SINE,
    "a.wv": SINE,
    "a.amr": (*SINE, "-ar", "8000", "-c:a", "libopencore_amrnb", "-b:a", "12.2k"),
}


USUAL = ("s16.wav", "studio.wav", "a.mp3", "a.m4a", "fragments.mp4", "a.mkv", "a.webm", "a.ogg")


@pytest.mark.usefixtures("either_ffmpeg")
@each("name", FORMATS, on_both=USUAL)
async def test_format(media: MakeMedia, name: str) -> None:
    samples = await decode(media(name, *FORMATS[name]), **LIMITS)

    assert samples.dtype == np.int16
    assert samples.ndim == 1
    # The fragments lack an edit list: their time begins 0.2 s before sound and picture.
    most_s = 0.25 if name == "fragments.mp4" else 0.12
    assert len(samples) == pytest.approx(1.5 * SAMPLE_RATE_HZ, abs=most_s * SAMPLE_RATE_HZ)
    assert pitch_hz(samples) == pytest.approx(440, abs=2)
    assert np.abs(samples.astype(int)).max() > 2_000


@pytest.mark.usefixtures("either_ffmpeg")
async def test_samples_already_as_wanted_are_left_alone(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(-32_768, 32_768, 12_345, dtype=np.int16)

    assert np.array_equal(await decode(write_wav(tmp_path / "a.wav", noise), **LIMITS), noise)


@pytest.mark.parametrize("count", [1, 2, 3, 160])
async def test_very_short(tmp_path: Path, count: int) -> None:
    short = write_wav(tmp_path / "a.wav", np.full(count, 1_000, np.int16))

    assert (await decode(short, **LIMITS)).tolist() == [1_000] * count


@pytest.mark.usefixtures("either_ffmpeg")
@pytest.mark.parametrize(
    ("channels", "active"), [(2, 0), (2, 1), (3, 2), (4, 3), (6, 3), (8, 3), (9, 8), (16, 9)]
)
async def test_no_channel_is_dropped(tmp_path: Path, channels: int, active: int) -> None:
    samples = np.zeros((16_000, channels), np.int16)
    samples[:, active] = sine(1)

    mono = await decode(write_wav(tmp_path / "a.wav", samples), **LIMITS)

    assert np.abs(mono.astype(int)).max() == 20_000


@pytest.mark.usefixtures("either_ffmpeg")
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le"])
async def test_loud_channels_do_not_clip(media: MakeMedia, codec: str) -> None:
    loud = "aevalsrc=" + "|".join(["0.98*sin(880*PI*t)"] * 6) + ":d=1:s=48000:c=5.1"
    samples = await decode(
        media(f"loud-{codec}.wav", "-f", "lavfi", "-i", loud, "-c:a", codec), **LIMITS
    )

    assert 31_500 < np.abs(samples.astype(int)).max() < 32_767


# --- damaged, yet something can be had ------------------------------------------------------------


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def patched(data: bytes, position: int, new: bytes) -> bytes:
    return data[:position] + new + data[position + len(new) :]


def scratched(data: bytes) -> bytes:
    return patched(data, len(data) // 2, random.Random(1).randbytes(600))


def flac_of_endless_length(data: bytes) -> bytes:
    # The low 36 of the 64 bits at byte 18 are the number of samples.
    (bits,) = struct.unpack(">Q", data[18:26])
    return patched(data, 18, struct.pack(">Q", bits | (1 << 36) - 1))


DAMAGED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "cut wav": ("s16.wav", cut),
    "cut mp3": ("a.mp3", cut),
    "cut ogg": ("pages.ogg", cut),
    "cut flac": ("a.flac", cut),
    "cut webm": ("live.webm", cut),
    "cut mkv": ("a.mkv", cut),
    "cut fragmented mp4": ("fragments.mp4", lambda data: data[: len(data) * 9 // 10]),
    "cut faststart m4a": ("faststart.m4a", cut),
    "cut adts": ("a.aac", cut),
    "scratched mp3": ("a.mp3", scratched),
    "scratched ogg": ("pages.ogg", scratched),
    "scratched flac": ("a.flac", scratched),
    "scratched m4a": ("faststart.m4a", scratched),
    "wav with unknown size": ("s16.wav", lambda data: patched(data, 4, b"\xff" * 4)),
    "wav with unknown data size": (
        "s16.wav",
        lambda data: patched(data, data.index(b"data") + 4, b"\xff" * 4),
    ),
    "wav with odd end": ("s16.wav", lambda data: data + b"\x01"),
    "wav with tail": ("s16.wav", lambda data: data + b"LIST\xff\xff\xff\xffINFO"),
    "flac with huge length": ("a.flac", flac_of_endless_length),
    "mp4 with giant atom": (
        "a.m4a",
        lambda data: data + struct.pack(">I4sQ", 1, b"free", 1 << 62),
    ),
    "mp3 after garbage": ("a.mp3", lambda data: b"\x00garbage\x00" * 100 + data),
    "mp3 before garbage": ("a.mp3", lambda data: data + b"garbage" * 100),
    "mp3 twice": ("a.mp3", lambda data: data * 2),
}


@pytest.mark.usefixtures("either_ffmpeg")
@each("case", DAMAGED, on_both=["cut mp3", "cut fragmented mp4", "wav with odd end"])
async def test_damaged_audio_gives_what_is_there(media: MakeMedia, case: str) -> None:
    name, damage = DAMAGED[case]
    whole = media(name, *FORMATS[name]).read_bytes()
    damaged = damage(whole)
    assert damaged != whole

    samples = await decode_bytes(damaged)

    assert 0.3 * SAMPLE_RATE_HZ < len(samples) < 3.3 * SAMPLE_RATE_HZ
    assert pitch_hz(samples) == pytest.approx(440, abs=8)


# --- what cannot be decoded -----------------------------------------------------------------------


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


def wav_format(tag: int = 1, channels: int = 1, rate_hz: int = 16_000) -> tuple[bytes, bytes]:
    return b"fmt ", struct.pack(
        "<HHIIHH", tag, channels, rate_hz, min(rate_hz * 2, 2**32 - 1), 2, 16
    )


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tone.wav", riff(wav_format(), (b"data", bytes(32_000))))
    return file.getvalue()


def text(*lines: str) -> bytes:
    return "\n".join([*lines, ""]).encode()


REJECTED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", NO_BYTES),
    "one byte": (b"R", NOT_MEDIA),
    "text": (b"hello, this is no audio\n", NOT_MEDIA),
    "much text": (b"hello, this is no audio\n" * 10_000, NOT_MEDIA),
    "zeros": (bytes(100_000), NOT_MEDIA),
    "few random bytes": (random.Random(1).randbytes(100), NOT_MEDIA),
    "random bytes": (random.Random(2).randbytes(20_000), NOT_MEDIA),
    "many random bytes": (random.Random(3).randbytes(500_000), NOT_MEDIA),
    "zip": (zipped(), NOT_MEDIA),
    "pdf": (b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n%%EOF\n", NOT_MEDIA),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>', NOT_MEDIA),
    "html": (b"<!DOCTYPE html><html><body><audio src='a.wav'></body></html>", NOT_MEDIA),
    "json": (b'{"audio": "UklGRg=="}', NOT_MEDIA),
    "program": (b"\x7fELF\x02\x01\x01" + bytes(2_000), NOT_MEDIA),
    "gzip": (b"\x1f\x8b\x08" + random.Random(4).randbytes(2_000), NOT_MEDIA),
    "srt": (text("1", "00:00:01,000 --> 00:00:02,000", "hi"), NOT_MEDIA),
    "webvtt": (text("WEBVTT", "", "00:01.000 --> 00:02.000", "hi"), NOT_MEDIA),
    "ass": (text("[Script Info]", "ScriptType: v4.00+", "", "[Events]"), NOT_MEDIA),
    "midi": (b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60MTrk\x00\x00\x00\x00", NOT_MEDIA),
    "riff of nothing": (b"RIFF\x04\x00\x00\x00WAVE", NOT_MEDIA),
    "wav without data chunk": (riff(wav_format()), NOT_MEDIA),
    "wav without samples": (riff(wav_format(), (b"data", b"")), NO_SAMPLES),
    "wav without format": (riff((b"data", bytes(3_200))), NOT_MEDIA),
    "wav of no channels": (riff(wav_format(channels=0), (b"data", bytes(3_200))), NOT_MEDIA),
    "wav of no rate": (riff(wav_format(rate_hz=0), (b"data", bytes(3_200))), NOT_MEDIA),
    "wav of one sample a second": (riff(wav_format(rate_hz=1), (b"data", bytes(9))), NO_RATE),
    "wav of few samples a second": (riff(wav_format(rate_hz=900), (b"data", bytes(9))), NO_RATE),
    "wav of any rate": (riff(wav_format(rate_hz=2**31 - 1), (b"data", bytes(9))), NO_RATE),
    "wav of unknown codec": (riff(wav_format(0x4444), (b"data", bytes(3_200))), NOT_MEDIA),
    "ftyp alone": (struct.pack(">I4s4sI4s", 20, b"ftyp", b"M4A ", 0, b"M4A "), NOT_MEDIA),
    "giant atom alone": (struct.pack(">I4sQ", 1, b"moov", 1 << 62) + bytes(64), NO_TRACK),
    "id3 alone": (b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10), NOT_MEDIA),
    "flac magic alone": (b"fLaC", NOT_MEDIA),
    "ogg magic alone": (b"OggS" + bytes(60), NOT_MEDIA),
    "ebml magic alone": (b"\x1a\x45\xdf\xa3" + bytes(60), NOT_MEDIA),
}


@pytest.mark.usefixtures("either_ffmpeg")
@each(
    "case",
    REJECTED,
    on_both=[
        "zeros",
        "wav of one sample a second",
        "text",
        "wav without samples",
        "giant atom alone",
    ],
)
async def test_rejected(case: str) -> None:
    data, reason = REJECTED[case]

    with pytest.raises(InvalidAudio, match=reason):
        await decode_bytes(data)


PICTURES = {
    "a.png": ("-frames:v", "1"),
    "a.jpg": ("-frames:v", "1"),
    "a.bmp": ("-frames:v", "1"),
    "a.webp": ("-frames:v", "1"),
    "a.gif": (),
}


@pytest.mark.usefixtures("either_ffmpeg")
@each("name", PICTURES, on_both=["a.png"])
async def test_pictures_are_rejected(media: MakeMedia, name: str) -> None:
    with pytest.raises(InvalidAudio, match=NOT_MEDIA):
        await decode(media(name, *VIDEO, *PICTURES[name]), **LIMITS)


@pytest.mark.usefixtures("either_ffmpeg")
@each(
    "name",
    ["silent.mp4", "silent.mkv", "silent.webm", "silent.avi"],
    on_both=["silent.mp4"],
)
async def test_video_without_sound_is_rejected(media: MakeMedia, name: str) -> None:
    with pytest.raises(InvalidAudio, match=NO_TRACK):
        await decode(media(name, *VIDEO), **LIMITS)


async def test_m4a_cut_before_its_index_is_rejected(media: MakeMedia) -> None:
    whole = media("a.m4a", *FORMATS["a.m4a"]).read_bytes()

    with pytest.raises(InvalidAudio, match=NOT_MEDIA):
        await decode_bytes(cut(whole))


PLAYLISTS = {
    "hls": text("#EXTM3U", "#EXT-X-TARGETDURATION:9", "#EXTINF:9,", "{target}", "#EXT-X-ENDLIST"),
    "hls with key": text(
        "#EXTM3U", "#EXT-X-TARGETDURATION:9", '#EXT-X-KEY:METHOD=AES-128,URI="{target}"',
        "#EXTINF:9,", "{target}", "#EXT-X-ENDLIST",
    ),
    "m3u": text("#EXTM3U", "#EXTINF:9,Tone", "{target}"),
    "pls": text("[playlist]", "File1={target}", "NumberOfEntries=1", "Version=2"),
    "xspf": text(
        '<?xml version="1.0"?>', '<playlist version="1" xmlns="http://xspf.org/ns/0/">',
        "<trackList><track><location>{target}</location></track></trackList></playlist>",
    ),
    "asx": text('<asx version="3.0"><entry><ref href="{target}"/></entry></asx>'),
    "smil": text('<smil><body><audio src="{target}"/></body></smil>'),
    "ffconcat": text("ffconcat version 1.0", "file '{target}'"),
    "dash": text(
        '<?xml version="1.0"?>',
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"',
        ' mediaPresentationDuration="PT9S">',
        '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="1">',
        "<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    ),
    "sdp": text(
        "v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
        "m=audio {port} RTP/AVP 0",
    ),
    "rtsp redirect": text("RTSPtext", "rtsp://127.0.0.1:{port}/a"),
    "quicktime reference": text("rtsptextrtsp://127.0.0.1:{port}/a"),
}  # fmt: skip


@pytest.mark.usefixtures("either_ffmpeg")
@pytest.mark.parametrize("reference", ["http", "path", "relative"])
@each("case", PLAYLISTS, on_both=["hls", "ffconcat", "dash", "sdp"])
async def test_playlists_lead_nowhere(tone: Path, case: str, reference: str) -> None:
    """A playlist that is followed would reach the listener or give the samples of `tone`."""
    reached = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(1)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        target = {
            "http": f"http://127.0.0.1:{port}/a.wav",
            "path": str(tone),
            "relative": tone.name,
        }
        playlist = tone.with_name("list")
        playlist.write_bytes(
            PLAYLISTS[case]
            .replace(b"{target}", target[reference].encode())
            .replace(b"{port}", str(port).encode())
        )
        with pytest.raises(InvalidAudio, match=NOT_MEDIA):
            await decode(playlist, **LIMITS)
    assert not reached


# --- files: names, positions, descriptors ---------------------------------------------------------

NAMES = [
    "-y.wav", "-i", "--help", "image%03d.wav", "a*.wav", "http:__x.wav", "concat:a|b.wav", "pipe:0",
    "data:,x", "$(touch x).wav", "a b;rm -rf.wav", "a\nb.wav", "тон🎵.wav", "a" * 200, "tone.m3u8",
    "tone.txt", "tone", ".wav", "%s%n.wav", "'\".wav",
]  # fmt: skip


def renamed(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


@pytest.mark.parametrize("name", NAMES)
async def test_names_do_not_matter(tone: Path, name: str) -> None:
    assert len(await decode(renamed(tone, name), **LIMITS)) == 16_000


def content(path: Path) -> bytes:
    return path.read_bytes()


async def test_name_that_is_not_text(tone: Path) -> None:
    assert len(await decode(renamed(tone, os.fsdecode(b"\xff\xfe.wav")), **LIMITS)) == 16_000


async def test_spooled_upload_still_in_memory(tone: Path) -> None:
    with tempfile.SpooledTemporaryFile(max_size=1_000_000) as file:
        file.write(content(tone))
        assert len(await decode(file, **LIMITS)) == 16_000


async def test_unlinked_file_is_sought_and_left_where_it_was(media: MakeMedia) -> None:
    data = media("a.m4a", *FORMATS["a.m4a"]).read_bytes()
    assert data.index(b"moov") > data.index(b"mdat")
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(7)
        first = await decode(file, **LIMITS)
        second = await decode(file, **LIMITS)
        assert file.tell() == 7
        assert file.read() == data[7:]

    assert np.array_equal(first, second)


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo"])
async def test_path_that_is_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    if kind == "fifo":
        os.mkfifo(path)

    with pytest.raises(InvalidAudio, match=f"^{kind} is not a file") as caught:
        await decode(path, **LIMITS)
    assert str(tmp_path) not in str(caught.value)


async def test_many_at_once_do_not_mix(tmp_path: Path) -> None:
    files = [
        write_wav(tmp_path / f"{n}.wav", np.full(16_000 + n, n, np.int16)) for n in range(1, 9)
    ]
    results = await asyncio.gather(*(decode(file, **LIMITS) for file in files))

    assert [(len(result), int(result.max())) for result in results] == [
        (16_000 + n, n) for n in range(1, 9)
    ]


async def test_descriptors_are_given_back(tone: Path) -> None:
    await decode(tone, **LIMITS)
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        await decode(tone, **LIMITS)
        with pytest.raises(AudioTooLong):
            await decode(tone, max_audio_s=0.1, timeout_s=30)

    assert len(os.listdir("/proc/self/fd")) == len(before)


# --- limits ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def hour(media: MakeMedia) -> Path:
    return media("hour.flac", "-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono:d=3600:n=16000")


async def test_length_limit_is_exact(tmp_path: Path) -> None:
    file = write_wav(tmp_path / "a.wav", sine(2))

    assert len(await decode(file, max_audio_s=2, timeout_s=30)) == 32_000
    with pytest.raises(AudioTooLong, match=r"longer than the 1\.9999 s"):
        await decode(file, max_audio_s=1.9999, timeout_s=30)


async def test_too_long_ends_the_child(hour: Path) -> None:
    before = children()

    with pytest.raises(AudioTooLong):
        await decode(hour, max_audio_s=1, timeout_s=30)
    gc.collect()
    assert children() == before


async def test_timeout_ends_the_child(hour: Path) -> None:
    before = children()

    with pytest.raises(InvalidAudio, match=r"longer than 0\.02 s to decode"):
        await decode(hour, max_audio_s=4_000, timeout_s=0.02)
    gc.collect()
    assert children() == before


async def test_cancelling_ends_the_child(hour: Path) -> None:
    before = children()
    task = asyncio.create_task(decode(hour, max_audio_s=4_000, timeout_s=30))
    while children() == before:  # noqa: ASYNC110 - nobody tells of a child's birth
        await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()
    assert children() == before


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 10, 100])
async def test_cancelling_at_any_turn(hour: Path, turns: int) -> None:
    before = children()
    task = asyncio.create_task(decode(hour, max_audio_s=4_000, timeout_s=30))
    for _ in range(turns):
        await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()
    assert children() == before


MEASURE = """
import asyncio, sys
from pathlib import Path
from echostream.media import decode

def peak_kib():  # of this program alone; ru_maxrss would count the parent's memory at the fork
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

async def main(small, large):
    await decode(Path(small), max_audio_s=60, timeout_s=60)
    before = peak_kib()
    samples = await decode(Path(large), max_audio_s=4_000, timeout_s=60)
    print(len(samples), peak_kib() - before)

asyncio.run(main(*sys.argv[1:]))
"""


def test_memory_grows_by_the_samples_alone(tone: Path, hour: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", MEASURE, str(tone), str(hour)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    count, growth_kib = map(int, done.stdout.split())

    assert count == 3_600 * SAMPLE_RATE_HZ
    assert growth_kib * 1024 < 2 * count + 8 * 1024**2


# --- the child ------------------------------------------------------------------------------------


async def test_child_gets_no_secrets_and_no_names(
    tone: Path,
    tmp_path: Path,
    stub_ffmpeg: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "hush")
    (tmp_path / "given").write_bytes(packets((0, b"abcd")))
    stub_ffmpeg(f'/usr/bin/env >&2; echo "$@" >&2; cat {tmp_path}/given')
    caplog.set_level("DEBUG", "echostream.media.tracks")

    samples = await decode(tone, **LIMITS)

    assert samples.tobytes() == b"abcd"
    seen = caplog.text
    assert "hush" not in seen
    assert tone.name not in seen
    assert "/dev/fd/" in seen


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
@pytest.mark.parametrize(
    "takes",
    [
        "dd if=/dev/zero of=/dev/null bs=1500M count=1 2>/dev/null",
        "echo more > file",
        "[ $(ulimit -t) = unlimited ]",
    ],
    ids=["memory", "a file", "time"],
)
async def test_child_that_takes_too_much(
    tone: Path, tmp_path: Path, stub_ffmpeg: Callable[[str], None], takes: str
) -> None:
    (tmp_path / "given").write_bytes(packets((0, b"abcd")))
    is_limited = "[ $(ulimit -f) = 0 ]"  # from outside, so after its first moment
    stub_ffmpeg(f"cd {tmp_path}; until {is_limited}; do :; done; {takes} && cat given")
    with pytest.raises(InvalidAudio, match=f"{NO_SAMPLES}|{NOT_MEDIA}"):
        await decode(tone, **LIMITS)


async def test_child_that_hangs_is_killed(tone: Path, stub_ffmpeg: Callable[[str], None]) -> None:
    stub_ffmpeg("trap '' TERM INT; printf abcd; while :; do :; done")
    before = children()

    with pytest.raises(InvalidAudio, match="took longer"):
        await decode(tone, max_audio_s=60, timeout_s=0.3)
    gc.collect()
    assert children() == before


async def test_child_that_never_stops_complaining(
    tone: Path,
    tmp_path: Path,
    stub_ffmpeg: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "given").write_bytes(packets((0, b"abcd")))
    stub_ffmpeg(
        f"head -c 20000000 /dev/zero | tr '\\0' x >&2; echo END >&2; cat {tmp_path}/given; exit 1"
    )
    caplog.set_level("DEBUG", "echostream.media.tracks")

    assert len(await decode(tone, **LIMITS)) == 2
    assert caplog.messages[-1].endswith("xxxEND")
    assert len(caplog.messages[-1]) < 5_000


async def test_child_that_crashes(
    tone: Path, tmp_path: Path, stub_ffmpeg: Callable[[str], None]
) -> None:
    (tmp_path / "given").write_bytes(packets((0, b"abcdefgh")))
    stub_ffmpeg(f"cat {tmp_path}/given; kill -SEGV $$")

    with pytest.raises(InvalidAudio, match=NOT_MEDIA):
        await decode(tone, **LIMITS)


async def test_child_that_writes_something_else(
    tone: Path, stub_ffmpeg: Callable[[str], None]
) -> None:
    stub_ffmpeg("head -c 1000000 /dev/urandom")

    with pytest.raises(InvalidAudio, match=NOT_MEDIA):
        await decode(tone, **LIMITS)


async def test_complaints_stay_inside(tone: Path, stub_ffmpeg: Callable[[str], None]) -> None:
    stub_ffmpeg("echo /srv/secret/path: No such file >&2; exit 1")

    with pytest.raises(InvalidAudio) as caught:
        await decode(tone, **LIMITS)
    assert str(caught.value) == "The file is not audio or video that can be decoded."


def test_no_ffmpeg_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise RuntimeError("no ffmpeg exe could be found")

    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    ffmpeg_path.cache_clear()

    with pytest.raises(EchoStreamError, match="ffmpeg is not installed"):
        ffmpeg_path()
