"""A second look at the turns.

A window may take two voices for one, and its embedding is then a mixture that nobody has. So the
turns are embedded again in short pieces, which tell whether somebody was overheard, and whose each
piece is: a turn has more speech of one voice than the windows it was put together from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from echostream.diarization.base import OnShare, Samples
from echostream.diarization.clustering import Labels, Vectors, centroids
from echostream.diarization.counting import Bounds, groups
from echostream.diarization.embeddings import Embedding, VoiceModel
from echostream.diarization.people import spans_of
from echostream.diarization.reconstruction import Stretch, stretches
from echostream.diarization.segmentation import FRAME, FRAMES_PER_S

_SHORTEST_FRAMES, _LONGEST_FRAMES = round(1.0 * FRAMES_PER_S), round(2.4 * FRAMES_PER_S)
"""How long the pieces of a turn are. What is left of it at its end may be shorter."""
_LONGEST_S = _LONGEST_FRAMES / FRAMES_PER_S
_AROUND = np.ones(5, np.float32)
"""The frames over which loudness is measured, about 0.1 s."""
_CLEAR_S = 0.8
"""Speech that it takes to tell whose a piece is."""
_UNCLEAR_S = 0.4
"""As little is used if more people were told than there are clear pieces."""
_LEAST_FRAMES = round(_UNCLEAR_S * FRAMES_PER_S)
_SAME_SOUND = 0.95
"""The cosine of two pieces from which they are the same sound, and not only of the same voice."""
_NEARER = 0.05
"""How much nearer another voice must be for a piece of a turn to move to it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames of one turn, and how they sound."""

    frames: slice
    speaker: int
    embedding: Embedding
    seconds: float


def corrected(
    samples: Samples,
    chances: NDArray[np.float32],
    voices: Vectors,
    bounds: Bounds,
    model: VoiceModel,
    on_share: OnShare,
) -> tuple[NDArray[np.float32], Vectors]:
    """The same frames and voices, with pieces of turns moved to the speaker whose voice is
    nearest, and with the voices of people that no window told apart."""
    heard = list(_heard(samples, chances, model, on_share))
    people = len({turn.speaker for turn in stretches(chances)})
    labels = _grouped(heard, bounds)
    if len(labels) and labels.max() + 1 > people:
        return _regrouped(chances, voices, heard, labels)
    moved = chances.copy()
    for piece in heard:
        _move(moved, piece, _nearest(piece, voices))
    _keep_everybody(moved, chances)
    return moved, voices


def _heard(
    samples: Samples, chances: NDArray[np.float32], model: VoiceModel, on_share: OnShare
) -> Iterator[Piece]:
    """The pieces in which somebody speaks alone for long enough to tell how they sound."""
    turns = stretches(chances)
    for number, turn in enumerate(turns, 1):
        for frames in cut_up(turn, samples):
            active = chances[frames] > 0
            alone = active[:, turn.speaker] & (active.sum(axis=1) == 1)
            if alone.sum() >= _LEAST_FRAMES:
                spans = spans_of(alone, frames.start * FRAME, len(samples))
                vector = model.embedding(samples, spans, longest_s=_LONGEST_S)
                if vector is not None:
                    seconds = float(alone.sum()) / FRAMES_PER_S
                    yield Piece(frames, turn.speaker, vector, seconds)
        on_share(number / len(turns))


def cut_up(turn: Stretch, samples: Samples) -> Iterator[slice]:
    """Parts of a turn, cut where it is quietest: if people change within it, then there."""
    start = turn.start
    while turn.end - start > _LONGEST_FRAMES:
        last = min(start + _LONGEST_FRAMES, turn.end - _SHORTEST_FRAMES)
        end = _quietest(samples, start + _SHORTEST_FRAMES, last)
        yield slice(start, end)
        start = end
    yield slice(start, turn.end)


def _quietest(samples: Samples, first: int, last: int) -> int:
    """The frame from `first` to `last` with the least sound around it."""
    reach = len(_AROUND) // 2
    start, end = first - reach, last + reach + 1
    sound = np.zeros((end - start) * FRAME, np.float32)  # the last window may outlast the audio
    part = samples[start * FRAME : end * FRAME]
    sound[: len(part)] = part
    power = np.square(sound.reshape(-1, FRAME)).mean(axis=1)
    return first + int(np.argmin(np.convolve(power, _AROUND, "valid")))


def _grouped(pieces: Sequence[Piece], bounds: Bounds) -> Labels:
    """The person of each piece, counted anew; -1 where that cannot be told."""
    labels = np.full(len(pieces), -1, np.intp)
    seconds = np.array([piece.seconds for piece in pieces], np.float32)
    used = seconds >= _CLEAR_S
    if used.sum() < bounds.least:
        used[:] = True
    if used.any():
        vectors = np.array([piece.embedding for piece in pieces])[used]
        firsts, numbers = np.unique(first_alike(vectors), return_inverse=True)
        if len(firsts) < bounds.least:
            firsts = numbers = np.arange(len(vectors))
        labels[used] = groups(vectors[firsts], seconds[used][firsts], bounds)[numbers]
    return labels


def first_alike(vectors: Vectors) -> NDArray[np.intp]:
    """For each embedding, the first one of the same sound. A sound that is played again and again,
    such as a jingle or a repeated sentence, says no more of who speaks than once, but its copies
    are so alike that they would pass for a person."""
    firsts = np.arange(len(vectors))
    for number, vector in enumerate(vectors):
        firsts[number] = firsts[np.argmax(vectors[: number + 1] @ vector >= _SAME_SOUND)]
    return firsts


def _regrouped(
    chances: NDArray[np.float32], voices: Vectors, pieces: Sequence[Piece], labels: Labels
) -> tuple[NDArray[np.float32], Vectors]:
    """The frames and voices by the groups of the pieces. What is in no piece goes to the speaker
    who sounds most like the one it had."""
    kept = labels >= 0
    vectors = np.array([piece.embedding for piece in pieces])
    seconds = np.array([piece.seconds for piece in pieces], np.float32)
    found = centroids(vectors[kept], seconds[kept], labels[kept])
    numbers = (voices @ found.T).argmax(axis=1)
    moved = np.zeros((len(chances), len(found)), np.float32)
    for before, now in enumerate(numbers):
        moved[:, now] = np.maximum(moved[:, now], chances[:, before])
    for piece, label in zip(pieces, labels.tolist(), strict=True):
        here = replace(piece, speaker=int(numbers[piece.speaker]))
        _move(moved, here, label if label >= 0 else _nearest(here, found))
    return moved, found


def _move(chances: NDArray[np.float32], piece: Piece, speaker: int) -> None:
    if speaker != piece.speaker:
        own = chances[piece.frames, piece.speaker]
        chances[piece.frames, speaker] = np.maximum(chances[piece.frames, speaker], own)
        chances[piece.frames, piece.speaker] = 0


def _nearest(piece: Piece, voices: Vectors) -> int:
    likeness = voices @ piece.embedding
    nearest = int(np.argmax(likeness))
    if piece.seconds < _CLEAR_S:
        return piece.speaker
    return nearest if likeness[nearest] > likeness[piece.speaker] + _NEARER else piece.speaker


def _keep_everybody(moved: NDArray[np.float32], chances: NDArray[np.float32]) -> None:
    """Undoes the moves of a speaker who would have no turn left: how many people there are was
    decided, or told, before."""
    left = {turn.speaker for turn in stretches(moved)}
    for speaker in set(range(chances.shape[1])) - left:
        own = chances[:, speaker] > 0
        moved[own] = chances[own]
