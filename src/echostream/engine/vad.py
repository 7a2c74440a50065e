"""Voice activity detection in audio of any length, with limited memory.

The detector is Silero VAD v6, which faster-whisper includes as ONNX.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.base import Samples

_INT16_SCALE = np.float32(1 / 32768)
# Silero's own thresholds: speech starts above the first and continues until below the second.
SPEECH, STILL_SPEECH = 0.5, 0.35
_MIN_SILENCE_S = 0.16
_BLOCK_S = 30.0
_LATER_IS_BETTER = 0.2
"""A bonus, in probability of speech, for cutting a long region at its end, not its middle."""


@dataclass(frozen=True, slots=True)
class Region:
    """A range of samples, `start` inclusive, `end` exclusive."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


def to_float32(samples: Samples) -> NDArray[np.float32]:
    """PCM16 as values from -1 to 1, which models read."""
    return samples.astype(np.float32) * _INT16_SCALE


def speech_regions(
    samples: Samples, *, max_region_s: float, min_silence_s: float = _MIN_SILENCE_S
) -> Iterator[Region]:
    """Yields regions of speech in order, without padding, each as soon as it is found.

    If speech has no pause within `max_region_s`, it is cut where speech is least probable, which is
    usually between two words.
    """
    frame = SpeechDetector.frame_samples
    detector = SpeechDetector()
    open_region = _OpenRegion(
        int(max_region_s * SAMPLE_RATE_HZ) // frame, int(min_silence_s * SAMPLE_RATE_HZ) // frame
    )
    block = int(_BLOCK_S * SAMPLE_RATE_HZ) // frame * frame
    for start in range(0, len(samples), block):
        piece = samples[start : start + block]
        padding = np.zeros(-len(piece) % frame, np.int16)
        for chance in detector.probabilities(np.concatenate([piece, padding])):
            if found := open_region.take(chance):
                yield Region(found.start * frame, found.end * frame)
    if found := open_region.close():
        yield Region(found.start * frame, min(found.end * frame, len(samples)))


class _OpenRegion:
    """The region of speech that has not ended yet; counts in frames."""

    def __init__(self, longest: int, min_silence: int) -> None:
        self._longest = longest
        self._min_silence = min_silence
        self._frame = 0
        self._chances: list[float] = []
        self._quiet = 0

    def take(self, chance: float) -> Region | None:
        """Takes the next frame's probability of speech; returns the region that ends there."""
        self._frame += 1
        if not self._chances and chance < SPEECH:
            return None
        self._chances.append(chance)
        # As in Silero: once below the lower threshold, only the higher one counts.
        is_quiet = chance < (SPEECH if self._quiet else STILL_SPEECH)
        self._quiet = self._quiet + 1 if is_quiet else 0
        if self._quiet >= self._min_silence:
            return self.close()
        if len(self._chances) >= self._longest:
            return self._cut()
        return None

    def close(self) -> Region | None:
        """Ends the region, if there is one, where its speech ends."""
        if not self._chances:
            return None
        start = self._frame - len(self._chances)
        end = self._frame - self._quiet
        self._chances, self._quiet = [], 0
        return Region(start, end)

    def _cut(self) -> Region:
        half = len(self._chances) // 2
        chances = np.array(self._chances)
        smooth = np.convolve(chances, np.ones(3) / 3, "same")[half:]
        place = half + int(np.argmin(smooth - np.linspace(0, _LATER_IS_BETTER, len(smooth))))
        start = self._frame - len(self._chances)
        self._chances = self._chances[place:]
        return Region(start, start + place)


class SpeechDetector:
    """Silero VAD on a stream of any length; each frame of 32 ms is read once."""

    frame_samples = 512
    _context_samples = 64

    def __init__(self) -> None:
        """The first one in a process loads the model, which all detectors share."""
        from faster_whisper.vad import get_vad_model

        self._run = get_vad_model().session.run
        self._state = np.zeros((2, 1, 1, 128), np.float32)
        self._context = np.zeros(self._context_samples, np.float32)

    def probabilities(self, samples: Samples) -> list[float]:
        """The probability of speech in each frame. `samples` continue the previous ones; their
        number must be a multiple of `frame_samples`."""
        if not len(samples):
            return []
        frames = to_float32(samples).reshape(-1, self.frame_samples)
        ends = frames[:, -self._context_samples :]
        contexts = np.vstack([self._context, ends[:-1]])
        self._context = ends[-1]
        found, *state = self._run(
            None,
            {
                "input": np.concatenate([contexts, frames], axis=1),
                "h": self._state[0],
                "c": self._state[1],
            },
        )
        self._state = np.stack(state)
        return [float(one) for one in found.reshape(-1)]
