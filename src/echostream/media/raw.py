"""Raw audio without a container, turned into mono samples at 16 kHz while it arrives.

No ffmpeg is needed for this: a process would keep the last milliseconds to itself until it is
closed, and a client may end its turn at any byte.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.media.mix import LIVE_STEP_S, Mixer

Encoding = Literal["pcm", "pcmu", "pcma"]
"""PCM16 little-endian, and the two codes of telephones: G.711 µ-law and A-law."""

TELEPHONE_RATE_HZ = 8_000
LEAST_RATE_HZ, MOST_RATE_HZ = 4_000, 384_000
_SAMPLE_BYTES = {"pcm": 2, "pcmu": 1, "pcma": 1}
_CROSSINGS = 16
"""Zero crossings of the resampling filter on each side of its middle."""
_PASS_BAND = 0.95
_WINDOW_BETA = 8.0
_MOST_PHASES = 640
"""Of one sample, as many as 11,025 Hz needs. At rates that need more, the nearest phase is taken,
which adds noise 60 dB below the sound."""
_BLOCK = 16_384
"""So many samples are resampled at a time, because this takes a hundred times their memory."""


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


class RawChannels:
    """Decodes a stream of interleaved channels, cut anywhere."""

    def __init__(self, encoding: Encoding, rate_hz: int, channels: int) -> None:
        self._sample_bytes = _SAMPLE_BYTES[encoding]
        self._decoders = [RawDecoder(encoding, rate_hz) for _ in range(channels)]
        self._odd_bytes = b""

    def feed(self, data: bytes) -> NDArray[np.int16]:
        """Returns the samples of the next bytes, shape `(channels, samples)`."""
        data = self._odd_bytes + data
        channels = len(self._decoders)
        whole = len(data) - len(data) % (channels * self._sample_bytes)
        self._odd_bytes = data[whole:]
        frames = np.frombuffer(data[:whole], np.uint8).reshape(-1, channels, self._sample_bytes)
        return np.stack(
            [one.feed(frames[:, number].tobytes()) for number, one in enumerate(self._decoders)]
        )


class RawMix:
    """Decodes a stream of interleaved channels, and mixes them like those of a file."""

    def __init__(self, encoding: Encoding, rate_hz: int, channels: int) -> None:
        self._channels = RawChannels(encoding, rate_hz, channels)
        self._mixer: Mixer | None = None
        if channels > 1:
            self._mixer = Mixer(channels, rate_hz=SAMPLE_RATE_HZ, step_s=LIVE_STEP_S)

    def feed(self, data: bytes) -> NDArray[np.int16]:
        """Returns the samples that are ready, shape `(samples,)`."""
        samples = self._channels.feed(data)
        return self._mixer.mix(samples) if self._mixer else samples[0]

    def finish(self) -> NDArray[np.int16]:
        """The samples that were held back; call this when the stream is over."""
        return self._mixer.finish() if self._mixer else np.zeros(0, np.int16)


class Resampler:
    """Changes the rate of a stream to 16 kHz with a windowed sinc (polyphase, Crochiere and Rabiner
    1983). Output is late by half the filter: two milliseconds at 8 kHz."""

    def __init__(self, rate_hz: int) -> None:
        divisor = int(np.gcd(rate_hz, SAMPLE_RATE_HZ))
        self._up, self._down = SAMPLE_RATE_HZ // divisor, rate_hz // divisor
        ratio = self._down / self._up
        phases = min(self._up, math.ceil(_MOST_PHASES / max(1, ratio)))
        self._phases = _filter(phases, phases * ratio)
        self._before = np.zeros(self._phases.shape[1] - 1, np.float32)
        self._next = 0
        """Place of the next output after the samples so far, in steps of the common rate."""

    def feed(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Takes samples of any number; returns those that are ready."""
        blocks = range(0, max(len(samples), 1), _BLOCK)
        return np.concatenate([self._fed(samples[at : at + _BLOCK]) for at in blocks])

    def _fed(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        heard = np.concatenate([self._before, samples.astype(np.float32)])
        self._before = heard[len(samples) :]
        places = np.arange(self._next, len(samples) * self._up, self._down)
        self._next += len(places) * self._down - len(samples) * self._up
        if not len(places):
            return np.zeros(0, np.int16)
        phases = places % self._up * len(self._phases) // self._up
        windows = np.lib.stride_tricks.sliding_window_view(heard, self._phases.shape[1])
        mixed: NDArray[np.float32] = np.einsum(
            "ij,ij->i", windows[places // self._up], self._phases[phases]
        )
        ready: NDArray[np.int16] = np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)
        return ready


@lru_cache(maxsize=16)
def _filter(up: int, down: float) -> NDArray[np.float32]:
    """One row of weights for each phase, for the oldest sample first. `down` may be broken if there
    are fewer phases than the rates need."""
    widest = max(up, down)
    half = math.ceil(_CROSSINGS * widest)
    taps = -(-2 * half // up)
    at = np.arange(taps * up) - half
    shape = np.sinc(_PASS_BAND * at / widest) * np.i0(
        _WINDOW_BETA * np.sqrt(np.clip(1 - (at / half) ** 2, 0, None))
    )
    phases = shape.reshape(taps, up).T[:, ::-1]
    weights: NDArray[np.float32] = phases / phases.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)
