"""The channels of a live stream, mixed as they come."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from echostream.errors import InvalidAudio
from echostream.media import LiveSamples, ffmpeg_command
from media.waves import packets, sine, write_wav


def live(path: Path, piece_bytes: int = 4_096) -> NDArray[np.int16]:
    """What comes of a file that arrives through a pipe."""
    command = ffmpeg_command("pipe:0", "pipe")
    given = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=True).stdout
    stream = LiveSamples()
    pieces = [given[at : at + piece_bytes] for at in range(0, len(given), piece_bytes)]
    return np.concatenate([*(stream.feed(piece) for piece in pieces), stream.finish()])


@pytest.mark.parametrize("other", [1, 0, -1])
def test_two_channels(tmp_path: Path, other: int) -> None:
    sound = sine(3)
    found = live(write_wav(tmp_path / "a.wav", np.stack([sound, other * sound], axis=1)))

    assert len(found) == len(sound)
    assert np.abs(found.astype(int) - sound).max() <= 2


@pytest.mark.usefixtures("either_ffmpeg")
def test_one_channel_is_left_alone(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(-32_768, 32_768, 12_345, np.int16)

    assert np.array_equal(live(write_wav(tmp_path / "a.wav", noise)), noise)


def test_one_channel_comes_at_once() -> None:
    stream = LiveSamples()
    assert len(stream.feed(packets((0, bytes(640))))) == 320
    assert len(stream.finish()) == 0


def test_two_channels_come_soon() -> None:
    stream = LiveSamples()
    found = stream.feed(packets((0, sine(1).repeat(2).tobytes()), channels=2))
    assert len(found) > 16_000 * 0.8
    assert len(found) + len(stream.finish()) == 16_000


def test_times_are_left_aside() -> None:
    stream = LiveSamples()
    given = packets((3_600_000, b"abcd"), (7_200_000, b"efgh"))
    assert stream.feed(given).tobytes() == b"abcdefgh"


@pytest.mark.parametrize("size", [1, 3, 7, 1_000])
def test_bytes_may_be_cut_anywhere(size: int) -> None:
    given = packets((-20, b"abcd"), (10, b""), (20, b"efghij"))
    stream = LiveSamples()
    pieces = [given[at : at + size] for at in range(0, len(given), size)]
    assert b"".join(stream.feed(piece).tobytes() for piece in pieces) == b"abcdefghij"


@pytest.mark.parametrize("junk", [b"x" * 100, packets(channels=0)[:-4] + packets((0, b"ab"))[40:]])
def test_what_ffmpeg_does_not_write(junk: bytes) -> None:
    with pytest.raises(InvalidAudio):
        LiveSamples().feed(junk)
