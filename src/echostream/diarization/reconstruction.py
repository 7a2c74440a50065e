"""From windows with people of their own to turns of the whole audio, as pyannote 3.1 does it.

How many speak at a moment is the mean over all windows that heard it; who they are is what most of
these windows say. So speech of two people at once stays with both.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echostream.diarization.clustering import Labels
from echostream.diarization.segmentation import FRAMES_PER_S, STEP_FRAMES, Segmentation

_PAUSE_FRAMES = round(0.25 * FRAMES_PER_S)
"""A speaker's shorter pauses do not end a turn."""
_BLOCK_FRAMES = 10_000
_SHORTEST_FRAMES = round(0.1 * FRAMES_PER_S)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames of one speaker, `end` exclusive, and the mean share of windows that say so."""

    start: int
    end: int
    speaker: int
    confidence: float


def speaking(segmentation: Segmentation, labels: Labels) -> NDArray[np.float32]:
    """How likely each speaker speaks at each frame, 0 if somebody else does; shape (frames,
    speakers). `labels` has the speaker of each person of each window, -1 for nobody."""
    speakers, total = int(labels.max()) + 1, segmentation.total_frames
    chances = np.zeros((total, max(speakers, 0)), np.float32)
    people, heard = np.zeros(total, np.float32), np.zeros(total, np.float32)
    for window, people_labels in enumerate(labels):
        frames = slice(window * STEP_FRAMES, window * STEP_FRAMES + segmentation.active.shape[1])
        people[frames] += segmentation.active[window].sum(axis=1)
        heard[frames] += 1
        for speaker in set(people_labels[people_labels >= 0].tolist()):
            own = segmentation.chances[window][:, people_labels == speaker]
            chances[frames, speaker] += own.max(axis=1)
    chances /= heard[:, None]
    _keep_the_likeliest(chances, np.rint(people / heard))
    return chances


def _keep_the_likeliest(chances: NDArray[np.float32], people: NDArray[np.float32]) -> None:
    """Sets all but so many speakers of each frame to 0. In blocks, because ranks take a multiple
    of the memory."""
    for start in range(0, len(chances), _BLOCK_FRAMES):
        block = chances[start : start + _BLOCK_FRAMES]
        ranks = np.argsort(np.argsort(-block, axis=1, kind="stable"), axis=1)
        block[ranks >= people[start : start + _BLOCK_FRAMES, None]] = 0


def stretches(chances: NDArray[np.float32]) -> list[Stretch]:
    """The turns of all speakers in order of start."""
    found = [
        Stretch(start, end, speaker, float(chances[start:end, speaker].mean()))
        for speaker in range(chances.shape[1])
        for start, end in _without_pauses(runs(chances[:, speaker] > 0))
        if end - start >= _SHORTEST_FRAMES
    ]
    return sorted(found, key=lambda each: (each.start, each.end, each.speaker))


def runs(active: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Where a row of truths starts and ends."""
    padded = np.concatenate([[False], active, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _without_pauses(found: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    held: tuple[int, int] | None = None
    for start, end in found:
        if held is not None and start - held[1] <= _PAUSE_FRAMES:
            held = (held[0], end)
        else:
            if held is not None:
                yield held
            held = (start, end)
    if held is not None:
        yield held
