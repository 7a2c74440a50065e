"""Files with several audio tracks, and separated channels."""

from pathlib import Path

import numpy as np
import pytest

from echostream.errors import AudioTooLong, InvalidAudio, InvalidRequest
from echostream.media import decode, decode_channels
from media.waves import MakeMedia, each, pitches, sine, steps, write_wav
from processes import children

LIMITS = {"max_audio_s": 60.0, "timeout_s": 30.0}
VIDEO = ("-f", "lavfi", "-i", "testsrc=d=2:s=64x64:r=10")
SILENCE = ("-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo:d=4")
ALL = ("-map", "0", "-map", "1")

both = pytest.mark.usefixtures("either_ffmpeg")


@both
@each("name", ["obs.mkv", "obs.mp4", "obs.mov", "obs.ts"], on_both=["obs.mkv", "obs.mp4"])
async def test_all_tracks_are_mixed(media: MakeMedia, name: str) -> None:
    """As a screen recorder has them: the desktop, silent here, and the microphone."""
    file = media(name, *SILENCE, *steps(3), *ALL, "-c:a", "aac")

    assert pitches(await decode(file, **LIMITS))[:3] == [400, 500, 600]


@both
async def test_a_track_is_chosen(media: MakeMedia) -> None:
    file = media("two.mkv", *steps(2), *steps(3, first_hz=1_000), *ALL)

    assert pitches(await decode(file, **LIMITS, track=0)) == [400, 500]
    assert pitches(await decode(file, **LIMITS, track=1)) == [1_000, 1_100, 1_200]
    both = await decode(file, **LIMITS)
    assert len(both) == pytest.approx(3 * 16_000, abs=1_000)
    assert pitches(both)[2] == 1_200


@pytest.mark.parametrize("track", [-1, 2, 3, 10**9])
@pytest.mark.parametrize("function", [decode, decode_channels])
async def test_a_track_that_is_not_there(media: MakeMedia, function, track: int) -> None:
    file = media("two.mkv", *steps(2), *steps(3, first_hz=1_000), *ALL)
    before = children()

    with pytest.raises(InvalidRequest, match=f"no audio track {track}: the file has 2"):
        await function(file, **LIMITS, track=track)
    assert children() == before


@both
async def test_a_second_track_of_a_file_with_one(tone: Path) -> None:
    with pytest.raises(InvalidRequest, match="the file has only track 0"):
        await decode(tone, **LIMITS, track=1)


@both
async def test_a_track_of_a_film_without_sound(media: MakeMedia) -> None:
    with pytest.raises(InvalidAudio, match="no audio track"):
        await decode(media("silent.mkv", *VIDEO), **LIMITS, track=1)


@both
async def test_a_track_of_what_is_no_media(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello, this is no audio")
    with pytest.raises(InvalidAudio, match="not audio or video"):
        await decode(tmp_path / "a.txt", **LIMITS, track=3)


@both
@pytest.mark.parametrize("number", [0, 1])
async def test_a_track_of_an_unknown_codec(media: MakeMedia, tmp_path: Path, number: int) -> None:
    """As an iPhone's spatial sound is, which lies beside the usual one."""
    data = media("two.mp4", *steps(3), *steps(3), *ALL, "-c:a", "aac").read_bytes()
    place = -1
    for _ in range(number + 1):
        place = data.index(b"mp4a\0\0\0\0\0\0", place + 1)
    described = data.index(b"esds", place)  # names the codec once more
    patched = bytearray(data)
    patched[place : place + 4], patched[described : described + 4] = b"apac", b"free"
    (tmp_path / "a.mp4").write_bytes(patched)

    assert pitches(await decode(tmp_path / "a.mp4", **LIMITS))[:3] == [400, 500, 600]
    assert len(await decode_channels(tmp_path / "a.mp4", **LIMITS)) == 1
    with pytest.raises(InvalidAudio, match="can be decoded"):
        await decode(tmp_path / "a.mp4", **LIMITS, track=number)


LIES = (
    "x\n  Stream #0:1: Audio: mp3\n#media_type 1: audio\n#media_type 2: audio\nmatches no streams"
)


@both
@each(
    "name",
    ["lies.mkv", "lies.mp4", "lies.mp3", "lies.flac", "lies.ogg"],
    on_both=["lies.mkv", "lies.mp3"],
)
async def test_a_title_that_lies_about_tracks(media: MakeMedia, name: str) -> None:
    said = ("-metadata", f"title={LIES}", "-metadata", f"{LIES}={LIES}")
    file = media(name, *steps(2), *said, "-metadata:s:a:0", f"title={LIES}")

    assert pitches(await decode(file, **LIMITS))[:2] == [400, 500]
    with pytest.raises(InvalidRequest, match="the file has only track 0"):
        await decode(file, **LIMITS, track=1)


@both
async def test_too_many_tracks(media: MakeMedia) -> None:
    maps = [word for _ in range(17) for word in ("-map", "0")]
    file = media("many.mka", *steps(2), *maps, "-c:a", "pcm_s16le", "-f", "matroska")

    with pytest.raises(InvalidRequest, match="17 audio tracks; at most 16"):
        await decode(file, **LIMITS)
    assert pitches(await decode(file, **LIMITS, track=16)) == [400, 500]


async def test_sixteen_tracks(media: MakeMedia) -> None:
    maps = [word for _ in range(16) for word in ("-map", "0")]
    file = media("sixteen.mka", *steps(2), *maps, "-c:a", "pcm_s16le", "-f", "matroska")

    assert pitches(await decode(file, **LIMITS)) == [400, 500]
    assert (await decode_channels(file, **LIMITS)).shape == (16, 32_000)


async def test_a_long_track_beside_a_short_one_is_bounded(media: MakeMedia) -> None:
    file = media("two.mkv", *steps(2), *steps(3, first_hz=1_000), *ALL)

    with pytest.raises(AudioTooLong):
        await decode(file, max_audio_s=2.5, timeout_s=30)


class TestChannels:
    async def test_mono(self, tone: Path) -> None:
        apart = await decode_channels(tone, **LIMITS)

        assert apart.dtype == np.int16
        assert np.array_equal(apart, sine(1)[None])

    @both
    @pytest.mark.parametrize("channels", [2, 3, 6, 8, 9, 16])
    async def test_each_is_left_alone(self, tmp_path: Path, channels: int) -> None:
        noise = np.random.default_rng(1).integers(-32_768, 32_768, (20_000, channels), np.int16)

        apart = await decode_channels(write_wav(tmp_path / "a.wav", noise), **LIMITS)

        assert np.array_equal(apart, noise.T)

    @both
    @pytest.mark.parametrize("channels", [9, 16])
    async def test_layouts_without_a_name_are_resampled(
        self, tmp_path: Path, channels: int
    ) -> None:
        levels = np.arange(1, channels + 1) / channels
        samples = (sine(1, 48_000)[:, None] * levels).astype(np.int16)

        apart = await decode_channels(write_wav(tmp_path / "a.wav", samples, 48_000), **LIMITS)

        assert apart.shape == (channels, 16_000)
        assert np.abs(apart.astype(int)).max(axis=1) == pytest.approx(20_000 * levels, rel=0.02)

    async def test_too_many(self, tmp_path: Path) -> None:
        path = write_wav(tmp_path / "a.wav", np.zeros((1_600, 17), np.int16))

        with pytest.raises(InvalidRequest, match="17 channels; at most 16"):
            await decode_channels(path, **LIMITS)
        assert len(await decode(path, **LIMITS)) == 1_600

    @both
    async def test_tracks_follow_each_other(self, media: MakeMedia) -> None:
        sound = (
            *steps(2),
            "-f",
            "lavfi",
            "-i",
            "sine=2000:d=3",
            "-f",
            "lavfi",
            "-i",
            "sine=3000:d=2",
        )
        stereo = ("-filter_complex", "[1:a][2:a]join=inputs=2:channel_layout=stereo[a]")
        file = media("apart.mkv", *sound, *stereo, "-map", "0", "-map", "[a]", "-c:a", "pcm_s16le")

        apart = await decode_channels(file, **LIMITS)

        assert [pitches(channel)[0] for channel in apart] == [400, 2_000, 3_000]
        assert [
            pitches(channel)[0] for channel in await decode_channels(file, **LIMITS, track=1)
        ] == [2_000, 3_000]

    async def test_are_bounded(self, tone: Path) -> None:
        with pytest.raises(AudioTooLong):
            await decode_channels(tone, max_audio_s=0.5, timeout_s=30)
