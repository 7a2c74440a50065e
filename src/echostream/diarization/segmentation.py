"""Who of up to three people speaks at each moment of ten seconds: pyannote's segmentation 3.0.

Windows overlap, so that each moment is judged several times. People are numbered anew in each
window; the clustering of voices tells who is who.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echostream.diarization.base import OnShare, Samples
from echostream.diarization.models import Network
from echostream.domain import SAMPLE_RATE_HZ

PEOPLE = 3
"""The most people that one window tells apart; two of them may speak at once."""
FRAME = 270
"""Samples from one judgement to the next: 17 ms."""
FRAMES_PER_S = SAMPLE_RATE_HZ / FRAME
FRAME_CENTRE = 991 / 2
"""The middle of the samples that the first judgement is about."""
WINDOW = 10 * SAMPLE_RATE_HZ
STEP_FRAMES = 197
"""3.3 s from one window to the next, in whole frames so that all windows share one grid."""
STEP = STEP_FRAMES * FRAME
_BATCH = 8
_BEYOND_DOUBT = 0.8
# The classes of the model: nobody, one person, two people.
_CLASSES = np.array(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.float32
)
_INT16_SCALE = np.float32(1 / 32768)


@dataclass(frozen=True, slots=True)
class Segmentation:
    """`chances` has the probability that a person speaks, shape (windows, frames, people), and
    `active` whether they do in the most likely case."""

    chances: NDArray[np.float16]
    active: NDArray[np.bool_]

    @property
    def total_frames(self) -> int:
        windows, frames, _ = self.active.shape
        return (windows - 1) * STEP_FRAMES + frames if windows else 0

    @property
    def has_speech(self) -> bool:
        """Music may sound a little like speech everywhere, but speech is beyond doubt for at least
        a tenth of the time that anybody speaks."""
        chances = self.chances.max(axis=2)[self.active.any(axis=2)].astype(np.float32)
        return chances.size > 0 and float(np.percentile(chances, 90)) >= _BEYOND_DOUBT


class SegmentationModel:
    def __init__(self, network: Network) -> None:
        self._network = network

    def segmentation(self, samples: Samples, on_share: OnShare) -> Segmentation:
        chances, active = [], []
        count = _window_count(len(samples))
        for batch in _batches(samples, count):
            scores = self._network(batch)
            chances.append((np.exp(scores) @ _CLASSES).astype(np.float16))
            active.append(_CLASSES[scores.argmax(axis=-1)] > 0)
            on_share(sum(map(len, active)) / count)
        return Segmentation(np.concatenate(chances), np.concatenate(active))


def _window_count(samples: int) -> int:
    """The last window is the first that reaches the end of the audio."""
    return 1 + max(0, -(-(samples - WINDOW) // STEP))


def _batches(samples: Samples, count: int) -> Iterator[NDArray[np.float32]]:
    for first in range(0, count, _BATCH):
        batch = np.zeros((min(_BATCH, count - first), 1, WINDOW), np.float32)
        for row, start in enumerate(range(first * STEP, (first + len(batch)) * STEP, STEP)):
            piece = samples[start : start + WINDOW]
            batch[row, 0, : len(piece)] = piece * _INT16_SCALE
        yield batch
