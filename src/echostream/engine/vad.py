"""Voice activity detection over audio of any length in bounded memory.

The detector is Silero VAD v6, which lies beside this file, so that one engine does not need the
other one's library for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.base import Samples

_MODEL_FILE = Path(__file__).with_name("silero_vad_v6.onnx")
_INT16_SCALE = np.float32(1 / 32768)
# Silero's own thresholds: speech begins above the first and goes on until it falls below the other.
SPEECH, STILL_SPEECH = 0.5, 0.35
_MIN_SILENCE_S = 0.16
_BLOCK_S = 30.0
_LATER_IS_BETTER = 0.2
"""What it is worth, in probability of speech, to cut a long region at its end, not its middle."""


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of samples, `start` inclusive, `end` exclusive."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


def to_float32(samples: Samples) -> NDArray[np.float32]:
    """PCM16 to the range -1 to 1 that models read."""
    return samples.astype(np.float32) * _INT16_SCALE


def speech_regions(
    samples: Samples, *, max_region_s: float, min_silence_s: float = _MIN_SILENCE_S
) -> Iterator[Region]:
    """Regions of speech in order, without any padding, each found as it is asked for.

    Speech without a pause in `max_region_s` is cut where it is least certain to be speech, which is
    between two words rather than in one.
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
        """The next frame's probability of speech; gives the region that it ends."""
        self._frame += 1
        if not self._chances and chance < SPEECH:
            return None
        self._chances.append(chance)
        # As Silero has it: once below the lower threshold, only the higher one counts.
        is_quiet = chance < (SPEECH if self._quiet else STILL_SPEECH)
        self._quiet = self._quiet + 1 if is_quiet else 0
        if self._quiet >= self._min_silence:
            return self.close()
        if len(self._chances) >= self._longest:
            return self._cut()
        return None

    def close(self) -> Region | None:
        """End the region, if there is one, where its speech ends."""
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
    """Silero VAD over a stream of any length; each frame of 32 ms is looked at once."""

    frame_samples = 512
    _context_samples = 64

    def __init__(self) -> None:
        """Loads the model, which all detectors share, at the first call in a process."""
        self._run = _model().run
        self._state = np.zeros((2, 1, 1, 128), np.float32)
        self._context = np.zeros(self._context_samples, np.float32)

    def probabilities(self, samples: Samples) -> list[float]:
        """How likely each frame is speech. `samples` go on where the last ones ended; their number
        must be a multiple of `frame_samples`."""
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


@cache
def _model() -> Any:
    """One session for all, which takes calls from any thread. Takes 100 ms."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # A frame is too little work for more threads, and an arena would keep what a long block took.
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        str(_MODEL_FILE), options, providers=["CPUExecutionProvider"]
    )
