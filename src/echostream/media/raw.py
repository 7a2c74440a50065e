"""Raw audio without a container, turned into mono samples at 16 kHz while it arrives.

No ffmpeg is needed for this: a process would keep the last milliseconds to itself until it is
closed, and a client may end its turn at any byte.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ

Encoding = Literal["pcm", "pcmu", "pcma"]
"""PCM16 little-endian, and the two codes of telephones: G.711 µ-law and A-law."""

TELEPHONE_RATE_HZ = 8_000
_CROSSINGS = 16
"""Zero crossings of the resampling filter on each side of its middle."""
_PASS_BAND = 0.95
_WINDOW_BETA = 8.0


def _ulaw(code: int) -> int:
    bits = ~code & 0xFF
    size = (((bits & 0x0F) << 3) + 0x84 << (bits >> 4 & 7)) - 0x84
    return -size if bits & 0x80 else size


def _alaw(code: int) -> int:
    bits = code ^ 0x55
    exponent, size = bits >> 4 & 7, (bits & 0x0F) << 4
    size = size + 8 if exponent == 0 else size + 0x108 << exponent - 1
    return size if bits & 0x80 else -size


def _table(expand: Callable[[int], int]) -> NDArray[np.int16]:
    return np.array([expand(code) for code in range(256)], np.int16)


_TABLES = {"pcmu": _table(_ulaw), "pcma": _table(_alaw)}


class RawDecoder:
    """Decodes the bytes of one stream in order, cut anywhere."""

    def __init__(self, encoding: Encoding, rate_hz: int) -> None:
        self._table = _TABLES.get(encoding)
        self._odd_byte = b""
        self._resampler = Resampler(rate_hz) if rate_hz != SAMPLE_RATE_HZ else None

    def feed(self, data: bytes) -> NDArray[np.int16]:
        """Returns the samples of the next bytes."""
        samples = self._samples(data)
        return self._resampler.feed(samples) if self._resampler else samples

    def _samples(self, data: bytes) -> NDArray[np.int16]:
        if self._table is not None:
            expanded: NDArray[np.int16] = self._table[np.frombuffer(data, np.uint8)]
            return expanded
        data = self._odd_byte + data
        whole = len(data) - len(data) % 2
        self._odd_byte = data[whole:]
        return np.frombuffer(data[:whole], "<i2").astype(np.int16, copy=False)


class Resampler:
    """Changes the rate of a stream to 16 kHz with a windowed sinc (polyphase, Crochiere and Rabiner
    1983). Output is late by half the filter: two milliseconds at 8 kHz."""

    def __init__(self, rate_hz: int) -> None:
        divisor = int(np.gcd(rate_hz, SAMPLE_RATE_HZ))
        self._up, self._down = SAMPLE_RATE_HZ // divisor, rate_hz // divisor
        self._phases = _filter(self._up, self._down)
        self._before = np.zeros(self._phases.shape[1] - 1, np.float32)
        self._next = 0
        """Place of the next output after the samples so far, in steps of the common rate."""

    def feed(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Takes samples of any number; returns those that are ready."""
        heard = np.concatenate([self._before, samples.astype(np.float32)])
        self._before = heard[len(samples) :]
        places = np.arange(self._next, len(samples) * self._up, self._down)
        self._next += len(places) * self._down - len(samples) * self._up
        if not len(places):
            return np.zeros(0, np.int16)
        windows = np.lib.stride_tricks.sliding_window_view(heard, self._phases.shape[1])
        mixed: NDArray[np.float32] = np.einsum(
            "ij,ij->i", windows[places // self._up], self._phases[places % self._up]
        )
        ready: NDArray[np.int16] = np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)
        return ready


def _filter(up: int, down: int) -> NDArray[np.float32]:
    """One row of weights for each phase, for the oldest sample first."""
    widest = max(up, down)
    half = _CROSSINGS * widest
    taps = -(-2 * half // up)
    at = np.arange(taps * up) - half
    shape = np.sinc(_PASS_BAND * at / widest) * np.i0(
        _WINDOW_BETA * np.sqrt(np.clip(1 - (at / half) ** 2, 0, None))
    )
    phases = shape.reshape(taps, up).T[:, ::-1]
    weights: NDArray[np.float32] = phases / phases.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)
