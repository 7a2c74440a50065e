"""Several channels to one, so that nobody in them is lost.

A plain mean silences a voice whose channels are of opposite polarity (a miswired cable, some
stereo microphones), and halves one that is in one channel only.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.errors import InvalidAudio

Samples = NDArray[np.int16]

_BLOCK = SAMPLE_RATE_HZ // 10
_OPPOSITE, _ALIKE = -0.5, 0.2
"""Correlation with the loudest channel at which a channel is turned over, and at which it is turned
back; in between it stays as it was, so that it does not flutter."""
_LOUDER = 2.0
"""Energy by which a channel must be louder than the one of reference to take its place."""
_SAMPLE_BYTES = 2


class Mixer:
    """Interleaved channels in, of shape `(n, channels)`, mono out of shape `(n,)`.

    Works on blocks of 100 ms. In each the channels of opposite polarity are turned over, and their
    sum is brought to about the level of the loudest channel. A single channel passes unchanged.
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._rest = np.zeros((0, channels), np.int16)
        self._signs = np.ones(channels, np.float32)
        self._reference = 0
        self._norm: float | None = None

    def add(self, samples: Samples) -> Samples:
        """What can be mixed by now."""
        if self._channels == 1:
            return samples[:, 0]
        waiting = np.concatenate([self._rest, samples])
        whole = len(waiting) - len(waiting) % _BLOCK
        self._rest = waiting[whole:]
        return self._mixed(waiting[:whole])

    def close(self) -> Samples:
        """The rest."""
        rest, self._rest = self._rest, self._rest[:0]
        return rest[:, 0] if self._channels == 1 else self._mixed(rest)

    def _mixed(self, samples: Samples) -> Samples:
        if not len(samples):
            return np.zeros(0, np.int16)
        blocks = [samples[at : at + _BLOCK] for at in range(0, len(samples), _BLOCK)]
        return np.concatenate([self._block(block) for block in blocks])

    def _block(self, block: Samples) -> Samples:
        sound = block.astype(np.float32)
        products = sound.T @ sound  # the energies are its diagonal
        energies = np.diagonal(products)
        if energies.max() > _LOUDER * energies[self._reference]:
            self._reference = int(energies.argmax())
        self._turn(products[self._reference], energies)
        total = sound @ self._signs
        loudest = float(energies.max())
        norm = max(1.0, float(np.sqrt(total @ total / loudest))) if loudest else 1.0
        before = norm if self._norm is None else self._norm
        self._norm = norm
        level = np.linspace(before, norm, len(total), dtype=np.float32)
        mixed: Samples = np.clip(np.rint(total / level), -32768, 32767).astype(np.int16)
        return mixed

    def _turn(self, products: NDArray[np.float32], energies: NDArray[np.float32]) -> None:
        scale = np.sqrt(energies * energies[self._reference])
        alike = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
        self._signs[alike < _OPPOSITE] = -1.0
        self._signs[alike > _ALIKE] = 1.0


class WavStream:
    """The bytes of a WAV file of PCM16 as they come, as interleaved samples.

    ffmpeg writes it to a pipe: its sizes mean nothing, its header says how many channels there are.
    """

    def __init__(self) -> None:
        self._held = b""
        self.channels: int | None = None
        """Known once the header has come."""

    def add(self, data: bytes) -> Samples:
        """The samples that are whole by now, shape `(n, channels)`. Raises InvalidAudio for what
        is no such file."""
        self._held += data
        if self.channels is None and not self._read_header():
            return np.zeros((0, 1), np.int16)
        frame = _SAMPLE_BYTES * (self.channels or 1)
        whole = len(self._held) - len(self._held) % frame
        pcm, self._held = self._held[:whole], self._held[whole:]
        return np.frombuffer(pcm, "<i2").reshape(-1, self.channels or 1)

    def _read_header(self) -> bool:
        """Whether all of the header has come; it is dropped then."""
        at = 12
        channels = None
        while len(self._held) >= at + 8:
            name, size = struct.unpack_from("<4sI", self._held, at)
            if name == b"data" and channels:
                self.channels, self._held = channels, self._held[at + 8 :]
                return True
            if name == b"fmt " and len(self._held) >= at + 12:
                (channels,) = struct.unpack_from("<H", self._held, at + 10)
            at += 8 + size + size % 2
        if len(self._held) > 64 * 1024:
            raise InvalidAudio("The audio cannot be decoded.")
        return False


class MonoStream:
    """The bytes of such a file as mono samples."""

    def __init__(self) -> None:
        self._wav = WavStream()
        self._mixer: Mixer | None = None

    def add(self, data: bytes) -> Samples:
        samples = self._wav.add(data)
        if self._wav.channels is None:
            return samples[:, 0]
        if self._mixer is None:
            self._mixer = Mixer(self._wav.channels)
        return self._mixer.add(samples)

    def close(self) -> Samples:
        return self._mixer.close() if self._mixer else np.zeros(0, np.int16)


def mixed_tracks(tracks: list[Samples]) -> Samples:
    """Audio tracks that were mixed by themselves as one; the longest says how long it is."""
    longest = max(len(track) for track in tracks)
    mixer = Mixer(len(tracks))
    found = []
    step = 600 * SAMPLE_RATE_HZ
    for start in range(0, longest, step):
        block = np.zeros((min(step, longest - start), len(tracks)), np.int16)
        for number, track in enumerate(tracks):
            piece = track[start : start + step]
            block[: len(piece), number] = piece
        found.append(mixer.add(block))
    return np.concatenate([*found, mixer.close()])
