"""Sounds for tests."""

import struct
import wave
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

MakeMedia = Callable[..., Path]
"""`media(name, *arguments)`: the fixture that has ffmpeg make a file."""


def each(name: str, cases: Iterable[str], *, on_both: Iterable[str]) -> pytest.MarkDecorator:
    """A test of many cases, with the ffmpeg of imageio-ffmpeg; the few `on_both` with that of the
    system too, which is of another version."""
    pairs = [(case, "bundled") for case in cases] + [(case, "system") for case in on_both]
    return pytest.mark.parametrize((name, "either_ffmpeg"), pairs, indirect=["either_ffmpeg"])


def write_wav(path: Path, samples: NDArray[np.int16], rate_hz: int = 16_000) -> Path:
    """Write samples of shape `(n,)` or `(n, channels)`."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.tobytes())
    return path


def sine(seconds: float, rate_hz: int = 16_000) -> NDArray[np.int16]:
    """440 Hz at two thirds of full scale."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (20_000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)


def steps(seconds: float, *, first_hz: int = 400, rate_hz: int = 48_000) -> tuple[str, ...]:
    """ffmpeg's arguments for a sound whose pitch rises by 100 Hz every second."""
    sound = f"aevalsrc=0.5*sin(2*PI*t*({first_hz}+100*floor(t))):d={seconds}:s={rate_hz}"
    return "-f", "lavfi", "-i", sound


def pitches(samples: NDArray[np.int16]) -> list[int]:
    """The pitch of each whole second to the nearest 100 Hz, 0 for silence."""
    return [
        _pitch(second) for second in samples[: len(samples) // 16_000 * 16_000].reshape(-1, 16_000)
    ]


def _pitch(second: NDArray[np.int16]) -> int:
    middle = second[2_000:-2_000].astype(float)
    if np.abs(middle).max() < 100:
        return 0
    spectrum = np.abs(np.fft.rfft(middle))
    return round(float(np.argmax(spectrum)) * 16_000 / len(middle) / 100) * 100


def packets(*parts: tuple[int, bytes], channels: int = 1) -> bytes:
    """What our ffmpeg writes: each part begins at its milliseconds."""
    head = b"\x00\x0aSMJPEG" + bytes(8)
    sound = b"_SND" + struct.pack(">IHBB4s", 8, 16_000, 16, channels, b"NONE")
    body = [b"sndD" + struct.pack(">iI", time_ms, len(pcm)) + pcm for time_ms, pcm in parts]
    return b"".join([head, sound, b"HEND", *body, b"DONE"])
