"""Mixes many channels into one without losing the sound of any of them.

A plain mean loses sound in two ways. Channels of opposite polarity (a balanced microphone on a
stereo socket, a cable with swapped wires, a mid-side recording) cancel each other. And a voice on
one side only has half its level afterwards, or a sixteenth among sixteen microphones.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LIVE_STEP_S = 0.064
"""How much is mixed at a time while somebody listens."""
_AROUND = 2
"""Frames before and after one that are used to judge it: one frame of noise says little."""
_BAND_BINS = 12
_OPPOSITE, _NOT_OPPOSITE = -0.4, -0.1
"""Two thresholds (hysteresis), because the correlation of unrelated channels varies around zero."""
_ALIKE = 0.9
_DROWNED = 1e-4
"""A share of the power: sound 40 dB below the rest neither cancels it nor is heard beside it."""
_FULL_SCALE = 32_767


class Mixer:
    """Adds up channels block by block.

    Polarity: 31 times a second at 16 kHz, and separately for each frequency band, a channel that is
    opposite to the sum of those before it is inverted. Bands are needed because a delay between two
    microphones makes some frequencies opposite and others not, and because they may separate two
    voices of a mid-side recording. If nothing is opposite, the samples are added up unchanged.

    Level: the sum is scaled so that its peak is no higher than that of the loudest channel, both
    since the beginning. So nothing clips, two equal channels give the same samples again, one voice
    beside silent channels keeps its level, and near-silence decides nothing that lasts.
    """

    def __init__(self, channels: int, *, rate_hz: int, step_s: float = 1.0) -> None:
        """`step_s` is how much is processed at a time: less means a shorter delay but more work."""
        self._hop = 256 if rate_hz <= 24_000 else 512
        self._frames = max(1, round(step_s * rate_hz / self._hop))
        self._window = np.sqrt(np.hanning(2 * self._hop + 1)[:-1]).astype(np.float32)
        lead = (_AROUND + 1) * self._hop
        self._waiting = np.zeros((channels, lead), np.float32)
        self._to_skip = self._hop
        """Samples of the lead that come before the first sample of the sound."""
        bands = -(-(self._hop + 1) // _BAND_BINS)
        self._is_opposite = np.zeros((channels, bands), bool)
        self._tail = np.zeros(self._hop, np.float32)
        self._peak = 0.0
        self._loudest = 0.0
        self._taken = 0
        self._given = 0

    def mix(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Takes samples of shape `(channels, n)`; returns the samples of the mix that are ready."""
        self._taken += samples.shape[1]
        return self._mixed(samples.astype(np.float32))

    def finish(self) -> NDArray[np.int16]:
        """The rest of the mix, which is then as long as the channels."""
        missing = self._taken - self._given
        room = (self._frames + 2 * _AROUND + 2) * self._hop
        silence = np.zeros((len(self._waiting), missing + self._to_skip + room), np.float32)
        return self._mixed(silence)[:missing]

    def _mixed(self, samples: Floats) -> NDArray[np.int16]:
        self._waiting = np.concatenate([self._waiting, samples], axis=1)
        needed = (self._frames + 2 * _AROUND + 1) * self._hop
        step = self._frames * self._hop
        parts, at = [], 0
        while self._waiting.shape[1] - at >= needed:
            parts.append(self._step(self._waiting[:, at : at + needed]))
            at += step
        self._waiting = self._waiting[:, at:]
        mixed = np.concatenate([np.zeros(0, np.int16), *parts])
        skipped = min(self._to_skip, len(mixed))
        self._to_skip -= skipped
        self._given += len(mixed) - skipped
        return mixed[skipped:]

    def _step(self, context: Floats) -> NDArray[np.int16]:
        begin = _AROUND * self._hop
        channels = context[:, begin : begin + self._frames * self._hop]
        total = channels.sum(axis=0)
        if self._may_cancel(context):
            total[: self._hop] += self._tail
            total += self._aligned(context)
        else:
            total[: self._hop] += self._tail
            self._tail = np.zeros_like(self._tail)
        return self._scaled(total, float(np.abs(channels).max()))

    def _may_cancel(self, context: Floats) -> bool:
        """Whether channels may cancel each other: not if only one has sound, or all are alike."""
        if self._is_opposite.any():
            return True
        total = context[0]
        for channel in context[1:]:
            power, more = float(total @ total), float(channel @ channel)
            alike = float(total @ channel) > _ALIKE * np.sqrt(power * more)
            if min(power, more) > _DROWNED * max(power, more) and not alike:
                return True
            total = total + channel
        return False

    def _aligned(self, context: Floats) -> Floats:
        """What must be added to the plain sum to invert the opposite parts."""
        cut = np.lib.stride_tricks.sliding_window_view(context, 2 * self._hop, axis=1)
        spectra = np.fft.rfft(cut[:, :: self._hop] * self._window, axis=2)
        total = spectra[0].copy()
        change = np.zeros((self._frames, self._hop + 1), np.complex64)
        for number, channel in enumerate(spectra[1:], start=1):
            opposite = self._opposite_bands(number, total, channel)
            if opposite.any():
                by_bin = np.repeat(opposite, _BAND_BINS, axis=1)[:, : self._hop + 1]
                turned = np.where(by_bin, channel[_AROUND:-_AROUND], 0)
                change -= 2 * turned
                total[_AROUND:-_AROUND] -= 2 * turned
            total += channel
        return self._overlapped(change)

    def _opposite_bands(
        self, number: int, total: NDArray[np.complex64], channel: NDArray[np.complex64]
    ) -> NDArray[np.bool_]:
        """Where a channel is opposite to the sum so far, shape `(frames, bands)`."""
        edges = np.arange(0, self._hop + 1, _BAND_BINS)
        together, power, more = (
            _smoothed(np.add.reduceat(product, edges, axis=1))
            for product in (
                (total * channel.conj()).real,
                np.abs(total) ** 2,
                np.abs(channel) ** 2,
            )
        )
        correlation = together / (np.sqrt(power * more) + 1)
        # Between the thresholds a band keeps the state of the last clear frame.
        clear = (correlation < _OPPOSITE) | (correlation > _NOT_OPPOSITE)
        frame = np.where(clear, np.arange(1, self._frames + 1)[:, None], 0)
        last = np.maximum.accumulate(frame, axis=0)
        states = np.concatenate([self._is_opposite[number][None], correlation < _OPPOSITE])
        opposite = cast(NDArray[np.bool_], np.take_along_axis(states, last, axis=0))
        self._is_opposite[number] = opposite[-1]
        return opposite

    def _overlapped(self, change: NDArray[np.complex64]) -> Floats:
        """The samples of overlapping frames. Half of the last frame is kept for the next step."""
        out = np.zeros((self._frames + 1, self._hop), np.float32)
        if change.any():
            frames = np.fft.irfft(change, axis=1).astype(np.float32) * self._window
            out[:-1] += frames[:, : self._hop]
            out[1:] += frames[:, self._hop :]
        self._tail = out[-1]
        return out[:-1].reshape(-1)

    def _scaled(self, total: Floats, loudest: float) -> NDArray[np.int16]:
        self._peak = max(self._peak, float(np.abs(total).max()))
        self._loudest = max(self._loudest, loudest)
        gain = self._loudest / self._peak if self._peak > self._loudest else 1.0
        whole = np.rint(total * gain).clip(-_FULL_SCALE - 1, _FULL_SCALE)
        return cast(NDArray[np.int16], whole.astype(np.int16))


def _smoothed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sums over each frame and its neighbours."""
    width = 2 * _AROUND + 1
    return cast(
        NDArray[np.float32],
        np.lib.stride_tricks.sliding_window_view(values, width, axis=0).sum(axis=2),
    )
