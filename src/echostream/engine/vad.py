"""Voice activity detection for audio of any length with limited memory.

The detector is Silero VAD v6, which faster-whisper includes as ONNX.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.base import Samples

FRAME_SAMPLES = 512
"""The detector checks 32 ms at a time."""
_CONTEXT_SAMPLES = 64
_INT16_SCALE = np.float32(1 / 32768)
# Silero's own thresholds: speech starts above the first and ends below the second.
SPEECH, STILL_SPEECH = 0.5, 0.35
_MIN_SILENCE_S = 0.16
_BLOCK_S = 30.0
_LATER_IS_BETTER = 0.2
"""The advantage, in speech probability, of a cut at the end of a long region over its middle."""


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of samples, `start` inclusive, `end` exclusive."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


def _zeros(*shape: int) -> NDArray[np.float32]:
    return np.zeros(shape, np.float32)


def to_float32(samples: Samples) -> NDArray[np.float32]:
    """Converts PCM16 to the range -1 to 1, which models expect."""
    return samples.astype(np.float32) * _INT16_SCALE


def speech_regions(
    samples: Samples, *, max_region_s: float, min_silence_s: float = _MIN_SILENCE_S
) -> Iterator[Region]:
    """Yields regions of speech in order, without padding, each found on demand.

    Speech without a pause in `max_region_s` is cut where it is least likely to be speech, which is
    usually between two words.
    """
    frame = FRAME_SAMPLES
    state = VadState()
    open_region = OpenRegion(max_region_s=max_region_s, min_silence_s=min_silence_s)
    block = int(_BLOCK_S * SAMPLE_RATE_HZ) // frame * frame
    for start in range(0, len(samples), block):
        piece = samples[start : start + block]
        padding = np.zeros(-len(piece) % frame, np.int16)
        detected = detect_speech(np.concatenate([piece, padding]), state)
        state = detected.state
        for chance in detected.chances:
            if found := open_region.take(chance):
                yield found
    if found := open_region.close():
        yield Region(found.start, min(found.end, len(samples)))


class OpenRegion:
    """The region of speech that has not ended yet, in audio whose frames come one by one. See
    `speech_regions`."""

    def __init__(self, *, max_region_s: float, min_silence_s: float = _MIN_SILENCE_S) -> None:
        self._longest = int(max_region_s * SAMPLE_RATE_HZ) // FRAME_SAMPLES
        self._min_silence = int(min_silence_s * SAMPLE_RATE_HZ) // FRAME_SAMPLES
        self._frame = 0
        self._chances: list[float] = []
        self._quiet = 0

    def take(self, chance: float) -> Region | None:
        """Adds the next frame's speech probability. Returns the region if this frame ends it."""
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
        return _region(start, end)

    def _cut(self) -> Region:
        half = len(self._chances) // 2
        chances = np.array(self._chances)
        smooth = np.convolve(chances, np.ones(3) / 3, "same")[half:]
        place = half + int(np.argmin(smooth - np.linspace(0, _LATER_IS_BETTER, len(smooth))))
        start = self._frame - len(self._chances)
        self._chances = self._chances[place:]
        return _region(start, start + place)


def _region(start: int, end: int) -> Region:
    """That of some frames."""
    return Region(start * FRAME_SAMPLES, end * FRAME_SAMPLES)


@dataclass(frozen=True, slots=True)
class VadState:
    """The detector's memory of the audio so far: two vectors of its network and the last samples.
    The owner of the audio keeps it, so that any process can check the audio that follows."""

    memory: NDArray[np.float32] = field(default_factory=lambda: _zeros(2, 1, 1, 128))
    context: NDArray[np.float32] = field(default_factory=lambda: _zeros(_CONTEXT_SAMPLES))


@dataclass(frozen=True, slots=True)
class Detected:
    """The speech probability of each frame, and the state for the samples that follow."""

    chances: list[float]
    state: VadState


def detect_speech(samples: Samples, state: VadState) -> Detected:
    """Checks samples that continue the audio before `state`; their number must be a multiple of
    FRAME_SAMPLES. The first call in a process loads Silero VAD."""
    # The package first: if a thread asks for a part of it while another begins to import the whole,
    # each waits for the other, and Python ends that in an error.
    from faster_whisper import vad

    if not len(samples):
        return Detected([], state)
    frames = to_float32(samples).reshape(-1, FRAME_SAMPLES)
    ends = frames[:, -_CONTEXT_SAMPLES:]
    contexts = np.vstack([state.context, ends[:-1]])
    found, *memory = vad.get_vad_model().session.run(
        None,
        {
            "input": np.concatenate([contexts, frames], axis=1),
            "h": state.memory[0],
            "c": state.memory[1],
        },
    )
    # A copy, because a view would keep all samples in memory.
    return Detected(found.reshape(-1).tolist(), VadState(np.stack(memory), ends[-1].copy()))
