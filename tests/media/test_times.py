"""Sound is placed by its timestamps, unless they are implausible."""

from pathlib import Path

import numpy as np
import pytest

from echostream.errors import AudioTooLong
from echostream.media import decode
from echostream.media.timeline import GapsTooLong, Timeline
from media.waves import MakeMedia, each, pitches, steps

LIMITS = {"max_audio_s": 60.0, "timeout_s": 30.0}
VIDEO = ("-f", "lavfi", "-i", "testsrc=d=6:s=64x64:r=10")
TEN_HOURS = ("-output_ts_offset", "36000")

both = pytest.mark.usefixtures("either_ffmpeg")


def gap(after_s: float, seconds: float) -> tuple[str, ...]:
    return "-af", f"asetpts='PTS+if(gte(T,{after_s}),{seconds}/TB,0)'"


@both
@each(
    "name",
    ["gap.mkv", "gap.webm", "gap.mp4", "gap.mov", "gap.ts", "gap.flv", "gap.ogg"],
    on_both=["gap.mkv", "gap.mp4"],
)
async def test_a_gap_is_silent(media: MakeMedia, name: str) -> None:
    codec = {"webm": "libopus", "ogg": "libopus", "flv": "aac"}.get(name.split(".")[1], "aac")
    file = media(
        name, *steps(4.2, rate_hz=44_100 if codec == "aac" else 48_000), *gap(2, 3), "-c:a", codec
    )

    assert pitches(await decode(file, **LIMITS))[:7] == [400, 500, 0, 0, 0, 600, 700]


@both
@each(
    "name",
    ["late.mkv", "late.mp4", "late.mov", "late.ts", "late.mpg"],
    on_both=["late.mkv", "late.mp4"],
)
async def test_sound_that_begins_later_than_the_picture(media: MakeMedia, name: str) -> None:
    codec = ("-c:a", "mp2", "-r", "25") if name.endswith("mpg") else ("-c:a", "aac")
    file = media(name, *VIDEO, "-itsoffset", "2", *steps(3.2), *codec)

    assert pitches(await decode(file, **LIMITS))[:5] == [0, 0, 400, 500, 600]


@both
@each(
    "name",
    ["hours.ts", "hours.ogg", "hours.webm", "hours.mkv", "hours.flv", "hours.mpg", "hours.m2ts"],
    on_both=["hours.ts", "hours.webm"],
)
@pytest.mark.parametrize("picture", [True, False])
async def test_clocks_that_begin_at_ten_hours(media: MakeMedia, name: str, picture: bool) -> None:
    suffix = name.split(".")[1]
    codec = {"webm": "libopus", "ogg": "libopus", "mpg": "mp2"}.get(suffix, "aac")
    shown = VIDEO if picture and suffix not in ("webm", "ogg") else ()
    rates = ("-r", "25", "-ar", "44100")
    more = rates if codec != "libopus" else ()
    file = media(f"{picture}-{name}", *shown, *steps(3), "-c:a", codec, *more, *TEN_HOURS)

    assert pitches(await decode(file, **LIMITS))[:3] == [400, 500, 600]


@both
@each(
    "name",
    ["part.ts", "part.mpg", "part.ogg", "part.mp3", "part.aac"],
    on_both=["part.ts", "part.ogg"],
)
async def test_recordings_joined_into_one_file(media: MakeMedia, tmp_path: Path, name: str) -> None:
    """The clock starts again in each."""
    codec = {"mpg": ("-c:a", "mp2"), "ogg": ("-c:a", "libvorbis")}.get(name.split(".")[1], ())
    part = media(name, *steps(3), *codec).read_bytes()
    (tmp_path / "joined").write_bytes(part * 3)

    samples = await decode(tmp_path / "joined", **LIMITS)

    assert len(samples) == pytest.approx(9 * 16_000, abs=5_000)
    assert pitches(samples)[0] == 400
    assert pitches(samples[6 * 16_000 :])[1] == 500


@both
async def test_an_implausible_jump_is_ignored(media: MakeMedia) -> None:
    file = media("jump.mkv", *steps(4), *gap(2, 36_000), "-c:a", "aac")

    assert pitches(await decode(file, **LIMITS))[:4] == [400, 500, 600, 700]


@both
async def test_gaps_that_just_fit(media: MakeMedia) -> None:
    file = media("fits.mkv", *steps(4), *gap(2, 3), "-c:a", "pcm_s16le")

    assert len(await decode(file, max_audio_s=7.1, timeout_s=30)) == pytest.approx(112_000, abs=50)
    assert len(await decode(file, max_audio_s=6.9, timeout_s=30)) == 64_000


async def test_a_file_with_gaps_that_is_too_long_without_them(media: MakeMedia) -> None:
    file = media("fits.mkv", *steps(4), *gap(2, 3), "-c:a", "pcm_s16le")

    with pytest.raises(AudioTooLong):
        await decode(file, max_audio_s=3.9, timeout_s=30)


@both
@each(
    "name",
    ["on.mp3", "on.m4a", "on.mp4", "on.mkv", "on.opus", "on.ogg", "on.flac", "on.wav", "on.aac"],
    on_both=["on.mp3", "on.m4a", "on.opus"],
)
async def test_priming_of_encoders_shifts_nothing(media: MakeMedia, name: str) -> None:
    """A click in the middle stays where it is. ADTS alone cannot say how long the priming is."""
    click = "aevalsrc=if(between(t\\,1\\,1.002)\\,0.8\\,0):d=2:s=48000"
    codec = ("-c:a", "libopus") if name == "on.opus" else ()
    samples = await decode(media(name, "-f", "lavfi", "-i", click, *codec), **LIMITS)

    allowed_s = 0.03 if name.endswith("aac") else 0.003
    assert np.argmax(np.abs(samples.astype(int))) / 16_000 == pytest.approx(1.001, abs=allowed_s)
    assert len(samples) == pytest.approx(32_000, abs=16_000 * 0.05)


class TestTimeline:
    def test_small_gaps_and_overlaps_are_left(self) -> None:
        line = Timeline(16_000, 60)
        assert [line.silence_before(ms, 1_600) for ms in (0, 130, 150, 390, 400)] == [0] * 5

    def test_what_was_too_early_is_made_up_for(self) -> None:
        line = Timeline(16_000, 60)
        assert line.silence_before(0, 8_000) == 0
        assert line.silence_before(300, 8_000) == 0  # 0.2 s too early
        assert line.silence_before(2_000, 8_000) == 16_000

    def test_a_clock_that_starts_again(self) -> None:
        line = Timeline(16_000, 60)
        line.silence_before(10_000, 16_000)
        assert line.silence_before(0, 16_000) == 0
        assert line.silence_before(3_000, 16_000) == 2 * 16_000

    def test_the_end(self) -> None:
        with pytest.raises(GapsTooLong):
            Timeline(16_000, 60).silence_before(60_000, 1)
        Timeline(16_000, 60).silence_before(0, 61 * 16_000)
        assert Timeline(16_000, None).silence_before(60_000, 1) == 0
