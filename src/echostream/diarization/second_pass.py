"""A second look at the turns. A turn has more speech of one voice than the windows it was put
together from, so its embedding tells better whose it is."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from echostream.diarization.base import OnShare, Samples
from echostream.diarization.clustering import Vectors
from echostream.diarization.embeddings import VoiceModel
from echostream.diarization.people import spans_of
from echostream.diarization.reconstruction import Stretch, stretches
from echostream.diarization.segmentation import FRAME, FRAMES_PER_S

_PIECE_S = 4.0
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
    turns = stretches(chances) if len(voices) > 1 else []
    for number, turn in enumerate(turns, 1):
        for start, end in _pieces(turn):
            speaker = _speaker(samples, chances, start, end, turn.speaker, voices, model)
            if speaker != turn.speaker:
                own = moved[start:end, turn.speaker]
                moved[start:end, speaker] = np.maximum(moved[start:end, speaker], own)
                moved[start:end, turn.speaker] = 0
        on_share(number / len(turns))
    return moved


def _pieces(turn: Stretch) -> list[tuple[int, int]]:
    count = -(-(turn.end - turn.start) // _PIECE_FRAMES)
    edges = np.linspace(turn.start, turn.end, count + 1).round().astype(int).tolist()
    return list(pairwise(edges))


def _speaker(
    samples: Samples,
    chances: NDArray[np.float32],
    start: int,
    end: int,
    speaker: int,
    voices: Vectors,
    model: VoiceModel,
) -> int:
    active = chances[start:end] > 0
    alone = active[:, speaker] & (active.sum(axis=1) == 1)
    if alone.sum() < _LEAST_FRAMES:
        return speaker
    spans = spans_of(alone, start * FRAME, len(samples))
    found = model.embedding(samples, spans, longest_s=_PIECE_S)
    if found is None:
        return speaker
    likeness = voices @ found
    nearest = int(np.argmax(likeness))
    return nearest if likeness[nearest] > likeness[speaker] + _NEARER else speaker
