"""Voice activity detection, and cuts in silence, over audio of any length in bounded memory.

The detector is Silero VAD v6, which faster-whisper carries as ONNX.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echostream.asr.base import Samples
from echostream.domain import SAMPLE_RATE_HZ

_INT16_SCALE = np.float32(1 / 32768)


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of samples, `start` inclusive, `end` exclusive."""

    start: int
    end: int


def to_float32(samples: Samples) -> NDArray[np.float32]:
    """PCM16 to the range -1 to 1 that models read."""
    return samples.astype(np.float32) * _INT16_SCALE


def speech_regions(
    samples: Samples,
    *,
    min_silence_ms: int,
    pad_ms: int,
    max_region_s: float,
    block_s: float = 600.0,
) -> list[Region]:
    """Regions of speech in order, each at most `max_region_s` long.

    Works through blocks of `block_s`, which must be longer than `max_region_s` and bounds the
    memory used. A region that touches the end of a block may go on in the next one, so the next
    block starts where that region does.
    """
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        min_silence_duration_ms=min_silence_ms,
        speech_pad_ms=pad_ms,
        max_speech_duration_s=max_region_s,
    )
    block_samples = int(block_s * SAMPLE_RATE_HZ)
    regions: list[Region] = []
    start = 0
    while start < len(samples):
        block = samples[start : start + block_samples]
        found = get_speech_timestamps(to_float32(block), options)
        next_start = start + len(block)
        if found and next_start < len(samples) and _touches_end(found[-1], block, pad_ms):
            # One region cannot fill a block, so this always moves forward.
            next_start = start + found.pop()["start"]
        regions.extend(Region(start + one["start"], start + one["end"]) for one in found)
        start = next_start
    return regions


def _touches_end(region: dict[str, int], block: Samples, pad_ms: int) -> bool:
    return region["end"] + SAMPLE_RATE_HZ * pad_ms // 1000 >= len(block)


def parts_cut_in_silence(
    samples: Samples, *, part_s: float, search_s: float = 30.0
) -> Iterator[Region]:
    """Split long audio into equal parts of at most `part_s`, each cut in the last pause before its
    end.

    Equal, since a short last part would cost an engine that works in batches more than its share.
    Audio with no pause in the last `search_s` of a part is cut at its end.
    """
    part, search = int(part_s * SAMPLE_RATE_HZ), int(search_s * SAMPLE_RATE_HZ)
    start = 0
    while (left := len(samples) - start) > part:
        end = start + math.ceil(left / math.ceil(left / part))
        cut = _last_pause(samples[end - search : end])
        cut_at = end if cut is None else end - search + cut
        yield Region(start, cut_at)
        start = cut_at
    if start < len(samples):
        yield Region(start, len(samples))


def _last_pause(samples: Samples) -> int | None:
    """The middle of the last silence between two regions of speech, or of the silence at an end."""
    regions = speech_regions(samples, min_silence_ms=200, pad_ms=0, max_region_s=float("inf"))
    if not regions:
        return len(samples) // 2
    if regions[-1].end < len(samples):
        return (regions[-1].end + len(samples)) // 2
    if len(regions) > 1:
        return (regions[-2].end + regions[-1].start) // 2
    return regions[0].start // 2 if regions[0].start else None


class SpeechDetector:
    """Silero VAD over a stream of any length; each frame of 32 ms is looked at once."""

    frame_samples = 512
    _context_samples = 64

    def __init__(self) -> None:
        """Loads the model, which all detectors share, at the first call in a process."""
        from faster_whisper.vad import get_vad_model

        self._run = get_vad_model().session.run
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
