"""A second look at the turns. A turn has more speech of one voice than the windows it was put
together from, so its embedding tells better whose it is."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from echostream.diarization.base import OnShare, Samples
from echostream.diarization.clustering import Vectors
from echostream.diarization.embeddings import VoiceModel
from echostream.diarization.people import spans_of
from echostream.diarization.reconstruction import Stretch, stretches
from echostream.diarization.segmentation import FRAME, FRAMES_PER_S

_PIECE_S = 2.0
_PIECE_FRAMES = round(_PIECE_S * FRAMES_PER_S)
_LEAST_FRAMES = round(0.8 * FRAMES_PER_S)
_NEARER = 0.05
"""How much nearer another voice must be for a piece of a turn to move to it."""


def corrected(
    samples: Samples,
    chances: NDArray[np.float32],
    voices: Vectors,
    model: VoiceModel,
    on_share: OnShare,
) -> NDArray[np.float32]:
    """The same frames, with pieces of turns moved to the speaker whose voice is nearest."""
    moved = chances.copy()
    look = _SecondLook(samples, chances, voices, model)
    turns = stretches(chances) if len(voices) > 1 else []
    for number, turn in enumerate(turns, 1):
        for piece in _pieces(turn):
            nearest = look.speaker(piece, turn.speaker)
            if nearest != turn.speaker:
                own = moved[piece, turn.speaker]
                moved[piece, nearest] = np.maximum(moved[piece, nearest], own)
                moved[piece, turn.speaker] = 0
        on_share(number / len(turns))
    _keep_everybody(moved, chances)
    return moved


def _keep_everybody(moved: NDArray[np.float32], chances: NDArray[np.float32]) -> None:
    """Undoes the moves of a speaker who would have no turn left: how many people there are was
    decided, or told, before."""
    left = {turn.speaker for turn in stretches(moved)}
    for speaker in set(range(chances.shape[1])) - left:
        own = chances[:, speaker] > 0
        moved[own] = chances[own]


def _pieces(turn: Stretch) -> list[slice]:
    """Frames of equal parts of a turn."""
    count = -(-(turn.end - turn.start) // _PIECE_FRAMES)
    edges = np.linspace(turn.start, turn.end, count + 1).round().astype(int).tolist()
    return [slice(start, end) for start, end in pairwise(edges)]


@dataclass(frozen=True, slots=True)
class _SecondLook:
    samples: Samples
    chances: NDArray[np.float32]
    voices: Vectors
    model: VoiceModel

    def speaker(self, piece: slice, first: int) -> int:
        """Whose voice some frames have, which the first look gave to `first`."""
        active = self.chances[piece] > 0
        alone = active[:, first] & (active.sum(axis=1) == 1)
        if alone.sum() < _LEAST_FRAMES:
            return first
        spans = spans_of(alone, piece.start * FRAME, len(self.samples))
        found = self.model.embedding(self.samples, spans, longest_s=_PIECE_S)
        if found is None:
            return first
        likeness = self.voices @ found
        nearest = int(np.argmax(likeness))
        return nearest if likeness[nearest] > likeness[first] + _NEARER else first
