"""Tells the people of all windows apart by their voices: an embedding of each, and whose it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from echostream.diarization.base import OnShare, Samples
from echostream.diarization.clustering import Labels, Vectors, centroids
from echostream.diarization.counting import Bounds, groups
from echostream.diarization.embeddings import Span, VoiceModel
from echostream.diarization.reconstruction import runs
from echostream.diarization.segmentation import (
    FRAME,
    FRAME_CENTRE,
    FRAMES_PER_S,
    PEOPLE,
    STEP,
    WINDOW,
    Segmentation,
)

_LONGEST_S = 3.0
"""Speech of one person in one window that is embedded; more costs time and tells little."""
_CLEAR_S = 1.0
"""Speech without others that an embedding needs to take part in the clustering."""
_UNCLEAR_S = 0.4
"""As little is used where there is hardly any clear speech."""
_HARDLY_ANY_S = 10.0
_SURELY_THE_SAME = 0.2
"""Two people of one window are different people, unless the voice is nearer by this much."""


@dataclass(frozen=True, slots=True)
class People:
    """The voices of each window's people, shape (windows, people, dimensions), 0 if there is too
    little speech; and how long each speaks without the others, and at all."""

    voices: NDArray[np.float32]
    alone_s: NDArray[np.float32]
    speech_s: NDArray[np.float32]

    @property
    def heard(self) -> NDArray[np.bool_]:
        return np.asarray(self.voices.any(axis=2))


def people_of(
    samples: Samples,
    segmentation: Segmentation,
    model: VoiceModel,
    on_share: OnShare,
    *,
    longest_s: float = _LONGEST_S,
) -> People:
    windows = len(segmentation.active)
    single = segmentation.active.sum(axis=2, keepdims=True) == 1
    alone = segmentation.active & single
    voices = np.zeros((windows, PEOPLE, model.dimensions), np.float32)
    alone_s = (alone.sum(axis=1) / FRAMES_PER_S).astype(np.float32)
    speech_s = (segmentation.active.sum(axis=1) / FRAMES_PER_S).astype(np.float32)
    for window in range(windows):
        for person in range(PEOPLE):
            clear = alone_s[window, person] >= _UNCLEAR_S
            frames = (alone if clear else segmentation.active)[window, :, person]
            spans = spans_of(frames, window * STEP, len(samples))
            found = model.embedding(samples, spans, longest_s=longest_s)
            if found is not None:
                voices[window, person] = found
        on_share((window + 1) / windows)
    return People(voices, alone_s, speech_s)


def spans_of(frames: NDArray[np.bool_], offset: int, end: int) -> list[Span]:
    """The samples of some frames, of which the first is about the samples at `offset`."""
    first = offset + int(FRAME_CENTRE) - FRAME // 2
    return [
        (first + start * FRAME, min(first + stop * FRAME, end))
        for start, stop in runs(frames)
        if first + start * FRAME < end
    ]


@dataclass(frozen=True, slots=True)
class Told:
    """The speaker of each window's people, -1 for nobody; and the speakers' voices."""

    labels: Labels
    voices: Vectors


def tell_apart(people: People, bounds: Bounds) -> Told | None:
    """None if nobody speaks."""
    used = _used(people, bounds)
    if not used.any():
        return None
    vectors = people.voices[used]
    # Even speech that is never without others counts a little.
    heard_s = np.minimum(people.alone_s[used], _LONGEST_S) + 0.2
    seconds = (heard_s * (STEP / WINDOW)).astype(np.float32)  # windows overlap
    found = groups(vectors, seconds, bounds)
    kept = found >= 0
    middles = centroids(vectors[kept], seconds[kept], found[kept])
    likeness = people.voices @ middles.T
    labels = np.array(
        [
            _of_a_window(row, seconds, heard)
            for row, seconds, heard in zip(likeness, people.speech_s, people.heard, strict=True)
        ]
    )
    return Told(labels, middles)


def _used(people: People, bounds: Bounds) -> NDArray[np.bool_]:
    clear = people.heard & (people.alone_s >= _CLEAR_S)
    if people.alone_s[clear].sum() >= _HARDLY_ANY_S and clear.sum() >= bounds.least:
        return clear
    used = people.heard & (people.speech_s >= _UNCLEAR_S)
    return used if used.any() else people.heard


def _of_a_window(
    likeness: NDArray[np.float32], seconds: NDArray[np.float32], heard: NDArray[np.bool_]
) -> list[int]:
    """The speakers of one window's people: those who speak longest choose first."""
    labels = [-1] * len(likeness)
    left = np.ones(likeness.shape[1], np.bool_)
    for person in sorted(np.flatnonzero(heard).tolist(), key=lambda each: -seconds[each]):
        row = likeness[person]
        free = np.where(left, row, row - _SURELY_THE_SAME)
        labels[person] = int(np.argmax(free))
        left[labels[person]] = False
    return labels
