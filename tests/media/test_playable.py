"""The copy for the player: the same sound at the same times as the transcript has."""

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest

from echostream.errors import EchoStreamError, InvalidAudio
from echostream.media import decode, decode_channels, make_playable
from media.test_times import VIDEO, gap
from media.waves import MakeMedia, each, pitches, sine, steps, write_wav
from processes import children

LIMITS = {"max_audio_s": 60.0, "timeout_s": 30.0}
TONE = ("-f", "lavfi", "-i", "sine=2000:d=4:r=48000")

both = pytest.mark.usefixtures("either_ffmpeg")


async def heard(file: Path, tmp_path: Path, **limits: float) -> np.ndarray:
    await make_playable(file, tmp_path / "copy.mp3", timeout_s=30, **limits)
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]
    return await decode_channels(tmp_path / "copy.mp3", **LIMITS)


CASES = {
    "gap.mkv": (*steps(4.2), *gap(2, 3)),
    "late.mkv": (*VIDEO, "-itsoffset", "2", *steps(3.2)),
    "hours.ts": (*steps(3), "-c:a", "aac", "-output_ts_offset", "36000"),
    "two.mkv": (*steps(2), *steps(3, first_hz=1_000), "-map", "0", "-map", "1"),
    "silent-first.mkv": (
        *("-f", "lavfi", "-i", "anullsrc=cl=5.1:d=3"),
        *(*steps(3), "-map", "0", "-map", "1", "-c:a", "flac"),
    ),
    "jump.mkv": (*steps(4), *gap(2, 36_000)),
}


@both
@each("name", CASES, on_both=["gap.mkv", "two.mkv"])
async def test_is_heard_as_it_is_transcribed(media: MakeMedia, tmp_path: Path, name: str) -> None:
    file = media(f"played-{name}", *CASES[name])
    samples = await decode(file, **LIMITS)
    apart = await heard(file, tmp_path)

    assert [pitches(side)[: len(pitches(samples))] for side in apart] == [pitches(samples)] * 2
    assert apart.shape[1] == pytest.approx(len(samples), abs=1_600)
    levels = [np.sqrt(np.mean(sound.astype(float) ** 2)) for sound in (apart, samples)]
    assert levels[0] == pytest.approx(levels[1], rel=0.2)


@both
async def test_stereo_stays_stereo(media: MakeMedia, tmp_path: Path) -> None:
    join = ("-filter_complex", "join=inputs=2:channel_layout=stereo")
    apart = await heard(media("stereo.flac", *steps(4), *TONE, *join), tmp_path)

    assert [pitches(side)[0] for side in apart] == [400, 2_000]


async def test_gaps_that_decode_does_not_believe(media: MakeMedia, tmp_path: Path) -> None:
    file = media("played-gap.mkv", *CASES["gap.mkv"])

    apart = await heard(file, tmp_path, max_audio_s=5)

    assert pitches(apart[0])[:4] == [400, 500, 600, 700]


async def test_longer_than_is_transcribed(media: MakeMedia, tmp_path: Path) -> None:
    assert (await heard(media("long.wav", *steps(4)), tmp_path, max_audio_s=2)).shape[1] > 63_000


@pytest.mark.parametrize("data", [b"", b"hello, this is no audio"])
async def test_what_is_no_audio_leaves_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)

    with pytest.raises(InvalidAudio):
        await make_playable(tmp_path / "a", tmp_path / "copy.mp3", timeout_s=30)
    assert os.listdir(tmp_path) == ["a"]


@both
async def test_what_cannot_be_written(tone: Path, tmp_path: Path) -> None:
    with pytest.raises(EchoStreamError, match="cannot be written"):
        await make_playable(tone, tmp_path / "nowhere" / "copy.mp3", timeout_s=30)


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.1, 0.3])
async def test_cancelling_ends_the_children(tmp_path: Path, after_s: float) -> None:
    file = write_wav(tmp_path / "a.wav", sine(600))
    before = children()
    task = asyncio.create_task(make_playable(file, tmp_path / "copy.mp3", timeout_s=30))
    await asyncio.sleep(after_s)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == before
    assert os.listdir(tmp_path) == ["a.wav"]


async def test_time_out_ends_the_children(tmp_path: Path) -> None:
    file = write_wav(tmp_path / "a.wav", sine(600))
    before = children()

    with pytest.raises(InvalidAudio, match="took longer"):
        await make_playable(file, tmp_path / "copy.mp3", timeout_s=0.1)
    assert children() == before
