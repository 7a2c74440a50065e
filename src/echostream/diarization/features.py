"""What the voice model hears: log mel energies, as Kaldi computes them and CAM++ was trained on.

80 bins, windows of 25 ms every 10 ms (Povey's), pre-emphasis 0.97, no dither.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from echostream.diarization.base import Samples
from echostream.domain import SAMPLE_RATE_HZ

Features = NDArray[np.float32]
"""Shape (frames, 80)."""

FRAMES_PER_S = 100
_BINS = 80
_WINDOW = 400
_HOP = SAMPLE_RATE_HZ // FRAMES_PER_S
_FFT = 512
_LOW_HZ, _HIGH_HZ = 20.0, SAMPLE_RATE_HZ / 2
_PRE_EMPHASIS = np.float32(0.97)
_FLOOR = np.finfo(np.float32).eps
_INT16_SCALE = np.float32(1 / 32768)


def fbank(samples: Samples) -> Features:
    """Audio that is shorter than one window has no frames."""
    if len(samples) < _WINDOW:
        return np.zeros((0, _BINS), np.float32)
    sound = samples.astype(np.float32) * _INT16_SCALE
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    # The sample before the first is taken to equal it.
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - _PRE_EMPHASIS * before) * _window()
    power = np.square(np.abs(np.fft.rfft(frames, _FFT))).astype(np.float32)
    energies: Features = np.log(np.maximum(power @ _mel_bins(), _FLOOR))
    return energies


@cache
def _window() -> NDArray[np.float32]:
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / (_WINDOW - 1))
    return (hann**0.85).astype(np.float32)


@cache
def _mel_bins() -> NDArray[np.float32]:
    """Triangles of equal width on the mel scale, shape (frequencies, bins)."""
    edges = np.linspace(_mel(_LOW_HZ), _mel(_HIGH_HZ), _BINS + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    mels = _mel(np.arange(_FFT // 2 + 1) * SAMPLE_RATE_HZ / _FFT)[:, None]
    rising, falling = (mels - left) / (centre - left), (right - mels) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _mel(hz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(np.asarray(hz) / 700.0))
