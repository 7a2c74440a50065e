"""Sounds for tests."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MakeMedia = Callable[..., Path]
"""`media(name, *arguments)`: the fixture that has ffmpeg make a file."""


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
