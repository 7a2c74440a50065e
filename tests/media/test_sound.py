"""Sound as people have it: tracks, channels, timestamps, and files that are not quite right."""

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echostream.domain import SAMPLE_RATE_HZ
from echostream.errors import AudioTooLong, InvalidRequest
from echostream.media import decode, decode_channels, make_playable
from echostream.media.decode import ffmpeg_path
from echostream.media.mixing import Mixer
from media.waves import MakeMedia, write_wav

LIMITS = {"max_audio_s": 60.0, "timeout_s": 30.0}


def tone(hz: float, seconds: float = 2.0, level: float = 8000) -> np.ndarray:
    t = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (level * np.sin(2 * np.pi * hz * t)).astype(np.int16)


def lavfi(hz: float, seconds: float = 2.0) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=frequency={hz}:duration={seconds}:sample_rate=48000")


def strength(samples: np.ndarray, hz: float) -> float:
    """How much of a tone there is, as its amplitude."""
    t = np.arange(len(samples)) / SAMPLE_RATE_HZ
    return float(2 * abs(np.mean(samples * np.exp(-2j * np.pi * hz * t))))


def loud_from(samples: np.ndarray) -> float:
    return float(np.flatnonzero(np.abs(samples.astype(int)) > 300)[0]) / SAMPLE_RATE_HZ


def ffmpeg(*arguments: object) -> None:
    command = [ffmpeg_path(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True)


# --- channels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0, 1, 3])
@pytest.mark.parametrize("share", [1.0, 0.7])
async def test_channels_that_cancel_each_other_are_heard(tmp_path: Path, delay: int, share: float):
    voice = np.random.default_rng(0).normal(0, 3000, 3 * SAMPLE_RATE_HZ)
    voice = np.convolve(voice, np.ones(24) / 24, "same")  # mostly low, as voices are
    other = -share * np.roll(voice, delay)
    path = write_wav(tmp_path / "a.wav", np.stack([voice, other], 1).astype(np.int16))
    mixed = (await decode(path, **LIMITS)).astype(float)
    assert np.sqrt(np.mean(mixed**2)) > 0.7 * np.sqrt(np.mean(voice**2))


async def test_a_voice_in_one_channel_keeps_its_level(tmp_path: Path):
    samples = np.stack([np.zeros(2 * SAMPLE_RATE_HZ, np.int16), tone(440)], 1)
    mixed = await decode(write_wav(tmp_path / "a.wav", samples), **LIMITS)
    assert strength(mixed, 440) == pytest.approx(8000, rel=0.02)


async def test_two_voices_in_two_channels_are_both_heard(tmp_path: Path):
    samples = np.stack([tone(440), tone(700)], 1)
    mixed = await decode(write_wav(tmp_path / "a.wav", samples), **LIMITS)
    assert strength(mixed, 440) > 5000
    assert strength(mixed, 700) > 5000


@given(st.integers(1, 6), st.integers(0, 2**31), st.lists(st.integers(0, 4000), max_size=6))
def test_mixing_does_not_depend_on_how_samples_come(channels, seed, cuts):
    samples = np.random.default_rng(seed).integers(-32768, 32768, (9000, channels), np.int16)
    whole = Mixer(channels)
    expected = np.concatenate([whole.add(samples), whole.close()])
    pieces, mixer = np.split(samples, np.cumsum(cuts)), Mixer(channels)
    found = np.concatenate([*(mixer.add(piece) for piece in pieces), mixer.close()])
    assert np.array_equal(found, expected)
    assert len(found) == len(samples)


async def test_channels_apart(tmp_path: Path):
    samples = np.stack([tone(440), tone(700), np.zeros_like(tone(1))], 1)
    found = await decode_channels(write_wav(tmp_path / "a.wav", samples), **LIMITS)
    assert np.array_equal(np.stack(found, 1), samples)


async def test_too_many_channels_to_keep_apart(tmp_path: Path):
    path = write_wav(tmp_path / "a.wav", np.zeros((1600, 17), np.int16))
    with pytest.raises(InvalidRequest, match="17 channels"):
        await decode_channels(path, **LIMITS)


# --- tracks ---------------------------------------------------------------------------------------

TWO_TRACKS = (*lavfi(440), *lavfi(700, 3.0), "-map", "0:a", "-map", "1:a")


@pytest.mark.usefixtures("either_ffmpeg")
async def test_all_tracks_are_mixed(media: MakeMedia):
    mixed = await decode(media("desk-and-microphone.mkv", *TWO_TRACKS), **LIMITS)
    assert len(mixed) == pytest.approx(3 * SAMPLE_RATE_HZ, abs=1600)
    assert strength(mixed[: 2 * SAMPLE_RATE_HZ], 440) > 1000
    assert strength(mixed[: 2 * SAMPLE_RATE_HZ], 700) > 1000


@pytest.mark.parametrize(("track", "hz"), [(0, 440), (1, 700)])
async def test_one_track_alone(media: MakeMedia, track: int, hz: float):
    path = media("desk-and-microphone.mp4", *TWO_TRACKS)
    found = await decode(path, track=track, **LIMITS)
    assert strength(found, hz) > 1000
    assert strength(found, 1140 - hz) < 100
    assert len(await decode_channels(path, track=track, **LIMITS)) == 1
    assert len(await decode_channels(path, **LIMITS)) == 2


async def test_a_track_that_is_not_there(media: MakeMedia):
    with pytest.raises(InvalidRequest, match="2 audio tracks"):
        await decode(media("desk-and-microphone.mkv", *TWO_TRACKS), track=2, **LIMITS)


async def test_a_title_cannot_pass_for_a_track(media: MakeMedia):
    title = "x\n  Stream #0:9: Audio: mp3\n    Stream #0:8: Audio: mp3"
    path = media("titled.mkv", *lavfi(440), "-metadata", f"title={title}")
    assert len(await decode_channels(path, **LIMITS)) == 1


async def test_a_track_in_an_unknown_codec_is_passed_over(media: MakeMedia):
    path = media("desk-and-microphone.mov", *TWO_TRACKS, "-c:a:0", "pcm_s16le", "-c:a:1", "alac")
    data = path.read_bytes()
    assert data.count(b"alac") >= 2
    path.write_bytes(data.replace(b"alac", b"apac"))
    mixed = await decode(path, **LIMITS)
    assert strength(mixed, 440) > 1000


# --- timestamps -----------------------------------------------------------------------------------


async def test_sound_that_begins_later_than_the_picture(tmp_path: Path):
    path = tmp_path / "a.mp4"
    video = ("-f", "lavfi", "-i", "testsrc=d=8:s=64x64:r=10")
    ffmpeg(*video, "-itsoffset", 5, *lavfi(440), "-map", "0:v", "-map", "1:a", path)
    found = await decode(path, **LIMITS)
    assert loud_from(found) == pytest.approx(5.0, abs=0.1)
    copy = tmp_path / "copy.mp3"
    await make_playable(path, copy, timeout_s=30)
    assert loud_from(await decode(copy, **LIMITS)) == pytest.approx(5.0, abs=0.15)


async def test_a_gap_in_the_timestamps_is_silence(tmp_path: Path):
    path = tmp_path / "a.mkv"
    keep = "aselect='lt(t,2)+gt(t,9)'"
    ffmpeg(*lavfi(440, 12), "-af", keep, "-c:a", "pcm_s16le", path)
    found = await decode(path, **LIMITS)
    assert len(found) == pytest.approx(12 * SAMPLE_RATE_HZ, abs=1600)
    assert strength(found[10 * SAMPLE_RATE_HZ : 11 * SAMPLE_RATE_HZ], 440) > 1000
    assert np.abs(found[4 * SAMPLE_RATE_HZ : 8 * SAMPLE_RATE_HZ]).max() == 0


@pytest.mark.parametrize("name", ["a.ts", "a.mkv"])
async def test_a_recording_that_begins_at_hours_is_not_hours_long(tmp_path: Path, name: str):
    path = tmp_path / name
    ffmpeg(*lavfi(440), "-output_ts_offset", 20_000, path)
    assert len(await decode(path, **LIMITS)) == pytest.approx(2 * SAMPLE_RATE_HZ, abs=3200)


async def test_timestamps_that_jump_by_hours_do_not_make_a_file_too_long(tmp_path: Path):
    path = tmp_path / "a.mkv"
    ffmpeg(*lavfi(440, 4), "-af", "asetpts='PTS+gt(T,2)*36000/TB'", "-c:a", "pcm_s16le", path)
    found = await decode(path, **LIMITS)
    assert len(found) == pytest.approx(4 * SAMPLE_RATE_HZ, abs=3200)
    with pytest.raises(AudioTooLong):
        await decode(path, max_audio_s=3, timeout_s=30)


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.opus", "a.flac", "a.ogg", "a.wav"])
async def test_encoders_delays_do_not_move_the_sound(tmp_path: Path, name: str):
    path = tmp_path / name
    source = write_wav(tmp_path / "in.wav", np.concatenate([tone(1, 1.0, 0), tone(440)]))
    ffmpeg("-i", source, path)
    assert loud_from(await decode(path, **LIMITS)) == pytest.approx(1.0, abs=0.06)


# --- telephones, phones, and files that are not quite right ---------------------------------------

PHONES = {
    "gsm.wav": ("-ar", "8000", "-c:a", "libgsm_ms"),
    "g722.wav": ("-ar", "16000", "-c:a", "g722"),
    "g726.wav": ("-ar", "8000", "-c:a", "g726", "-b:a", "32k"),
    "opus.caf": ("-c:a", "libopus"),
    "alac.caf": ("-c:a", "alac"),
    "opus.mp4": ("-c:a", "libopus", "-strict", "-2"),
    "memo.opus": ("-ar", "16000", "-c:a", "libopus", "-application", "voip"),
    "alac.mov": ("-c:a", "alac"),
    "five.m4a": ("-af", "pan=5.1|c4=c0", "-c:a", "aac"),
}


@pytest.mark.parametrize("name", PHONES)
async def test_what_telephones_and_phones_record(tmp_path: Path, name: str):
    path = tmp_path / name
    ffmpeg(*lavfi(440), *PHONES[name], path)
    found = await decode(path, **LIMITS)
    assert len(found) == pytest.approx(2 * SAMPLE_RATE_HZ, abs=2400)
    assert strength(found, 440) > 1000


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("riff", [0, 0xFFFFFFFF])
async def test_a_streamed_wav_has_no_true_sizes(tmp_path: Path, size: int, riff: int):
    header = struct.pack("<4sI8sIHHIIHH", b"RIFF", riff, b"WAVEfmt ", 16, 1, 1, 16000, 32000, 2, 16)
    path = tmp_path / "a.wav"
    path.write_bytes(header + struct.pack("<4sI", b"data", size) + tone(440).tobytes())
    found = await decode(path, **LIMITS)
    assert len(found) == pytest.approx(2 * SAMPLE_RATE_HZ, abs=200)
    assert strength(found, 440) == pytest.approx(8000, rel=0.02)


def with_junk_in_front(data: bytes) -> bytes:
    return b"\x00junk" * 500 + data


def with_a_hole(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + b"\xff\x00\x55" * 300 + data[middle:]


def with_a_false_tag(data: bytes) -> bytes:
    """An ID3 tag that says it is longer than it is."""
    return b"ID3\x03\x00\x00\x00\x00\x10\x00" + b"\x00" * 50 + data


@pytest.mark.parametrize("spoil", [with_junk_in_front, with_a_hole, with_a_false_tag])
async def test_an_mp3_with_broken_headers(media: MakeMedia, spoil):
    path = media(f"{spoil.__name__}.mp3", *lavfi(440, 4), "-write_xing", "0", "-id3v2_version", "0")
    path.write_bytes(spoil(path.read_bytes()))
    found = await decode(path, **LIMITS)
    assert len(found) == pytest.approx(4 * SAMPLE_RATE_HZ, abs=0.3 * SAMPLE_RATE_HZ)
    spectrum = np.abs(np.fft.rfft(found))
    assert np.argmax(spectrum) * SAMPLE_RATE_HZ / len(found) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("name", ["cover.mp3", "cover.m4a", "cover.flac"])
async def test_cover_art_is_not_looked_at(media: MakeMedia, name: str):
    picture = ("-f", "lavfi", "-i", "testsrc=d=1:s=64x64:r=1", "-frames:v", "1")
    cover = ("-map", "0:a", "-map", "1:v", "-c:v", "mjpeg", "-disposition:v", "attached_pic")
    found = await decode(media(name, *lavfi(440), *picture, *cover), **LIMITS)
    assert strength(found, 440) > 1000
