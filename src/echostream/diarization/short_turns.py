"""Tells voices apart that take turns every second.

Neither the windows of the segmentation nor the pieces of turns are as short: they mix such voices.
So each speaker is heard once more in moments of 0.75 s. Those of one voice differ a little in every
direction, those of two along the line between them, and that line also tells whose a moment is.
"""

import numpy as np
from numpy.typing import NDArray

from echostream.diarization.base import OnShare, Samples, no_report
from echostream.diarization.clustering import Labels, Vectors
from echostream.diarization.counting import Bounds
from echostream.diarization.embeddings import VoiceModel
from echostream.diarization.segmentation import FRAME, FRAMES_PER_S

_MOMENT = 12_000
"""Samples that are embedded: shorter ones do not tell voices, longer ones mix them."""
_HOP_FRAMES = round(0.25 * FRAMES_PER_S)
_FEWEST = 40
"""Moments that it takes to tell one voice from two. Fewer spread by chance."""
_FEWEST_OF_EACH = 8
_TRIED = 64
"""Moments of a speaker that are looked at first."""
_SPREAD, _ABOVE_NOISE = 0.05, 2.3
"""The variance along one line from which there may be two voices, and how many times that of noise
it must be. Of one person it is under 0.05, in noise and on a telephone too, or under 2.2 times that
of noise, as across a room; of two who alternate every second at least 0.05 and 2.5 times."""
_NOISE = 3
"""Up to four voices differ along three lines; the next one has noise alone."""
_ALIKE = 0.75
"""The cosine from which two halves are one voice: one voice has 0.8, two have 0.7 at most."""
_SAME = 0.77
"""The cosine from which a voice is that of a speaker who was found before."""
_PURE_SHARE = 0.3
"""The moments at either end of the line, which have most of one voice."""
_ROUNDS = 3
_CHANGE_COST = 0.1
"""How much nearer another voice must be, over all its moments, to take a turn."""
_BATCH = 16


def told_apart(
    samples: Samples,
    chances: NDArray[np.float32],
    voices: Vectors,
    bounds: Bounds,
    model: VoiceModel,
    on_share: OnShare,
) -> tuple[NDArray[np.float32], Vectors]:
    """The same frames and voices, but with speakers who are several voices divided into these."""
    mixed = []
    for speaker, moments in enumerate(_alone(chances)):
        if len(moments) >= _FEWEST and is_mixed(_heard(samples, _some(moments), model, no_report)):
            mixed.append(speaker)
        on_share(0.5 * (speaker + 1) / len(voices))
    if not mixed:
        return chances, voices
    others = [speaker for speaker in range(len(voices)) if speaker not in mixed]
    together = chances[:, mixed].max(axis=1)
    moments = np.arange(0, len(chances), _HOP_FRAMES)
    moments = moments[together[moments] > 0]
    heard = _heard(samples, moments, model, lambda share: on_share(0.5 + 0.5 * share))
    found = voices_in(heard, bounds.most - len(others))
    if len(found) < max(2, len(mixed)):
        return chances, voices
    frames = np.flatnonzero(together)
    said_by = likeliest(heard @ found.T)[_nearest(moments, frames)]
    return _with_voices(chances[:, others], voices[others], together, frames, said_by, found)


def _alone(chances: NDArray[np.float32]) -> list[NDArray[np.intp]]:
    """The middle frames of each speaker's moments: those at which nobody else speaks, unless that
    is hardly ever so, because voices that alternate may be heard as two at once."""
    grid = np.arange(0, len(chances), _HOP_FRAMES)
    active = chances[grid] > 0
    alone = active & (active.sum(axis=1, keepdims=True) == 1)
    used = np.where(2 * alone.sum(axis=0) >= active.sum(axis=0), alone, active)
    return [grid[used[:, speaker]] for speaker in range(chances.shape[1])]


def _some(moments: NDArray[np.intp]) -> NDArray[np.intp]:
    return moments[np.linspace(0, len(moments) - 1, min(len(moments), _TRIED)).astype(np.intp)]


def _heard(
    samples: Samples, moments: NDArray[np.intp], model: VoiceModel, on_share: OnShare
) -> Vectors:
    """The embeddings of moments."""
    last = max(0, len(samples) - _MOMENT)
    starts = np.clip(moments * FRAME - _MOMENT // 2, 0, last)
    found = np.zeros((len(starts), model.dimensions), np.float32)
    for first in range(0, len(starts), _BATCH):
        batch = [samples[start : start + _MOMENT] for start in starts[first : first + _BATCH]]
        found[first : first + len(batch)] = model.embeddings(batch)
        on_share((first + len(batch)) / len(starts))
    return found


def _nearest(moments: NDArray[np.intp], frames: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which moment each frame is nearest to."""
    return np.asarray(np.searchsorted((moments[1:] + moments[:-1]) / 2, frames))


def is_mixed(vectors: Vectors) -> bool:
    """Whether these are probably several voices."""
    if len(vectors) < _FEWEST:
        return False
    around = vectors - vectors.mean(axis=0)
    variances = np.linalg.eigvalsh(around.T @ around / len(vectors))[::-1]
    return bool(variances[0] >= max(_SPREAD, _ABOVE_NOISE * variances[_NOISE]))


def _along_their_line(vectors: Vectors) -> NDArray[np.float32]:
    """Where the vectors are on the line along which they differ most."""
    around = vectors - vectors.mean(axis=0)
    line: NDArray[np.float32] = np.linalg.eigh(around.T @ around)[1][:, -1]
    return np.asarray(around @ line)


def voices_in(heard: Vectors, most: int) -> Vectors:
    """The voices, at most so many, that moments are of, of unit length."""
    parts = [(heard, _middle(heard))]
    found: list[NDArray[np.float32]] = []
    while parts:
        part, voice = parts.pop()
        halves = _halves(part) if len(parts) + len(found) + 1 < most else None
        if halves is not None:
            parts += halves
        elif all(voice @ other < _ALIKE for other in found):  # a cut may go through a voice
            found.append(voice)
    return np.array(found)


def _halves(heard: Vectors) -> list[tuple[Vectors, NDArray[np.float32]]] | None:
    """The moments of each of two voices and how it sounds, or None if there is only one."""
    if not is_mixed(heard):
        return None
    along = _along_their_line(heard)
    low, high = np.quantile(along, [_PURE_SHARE, 1 - _PURE_SHARE])
    voices = np.array([_middle(heard[along <= low]), _middle(heard[along >= high])])
    for _ in range(_ROUNDS):
        likeness = heard @ voices.T
        said_by = likeness.argmax(axis=1)
        sure = np.abs(likeness[:, 0] - likeness[:, 1])
        own = [said_by == 0, said_by == 1]
        if min(each.sum() for each in own) < _FEWEST_OF_EACH:
            return None
        voices = np.array([_middle(heard[each & (sure >= np.median(sure[each]))]) for each in own])
    if voices[0] @ voices[1] >= _ALIKE:
        return None
    return [(heard[each], voice) for each, voice in zip(own, voices, strict=True)]


def _middle(vectors: Vectors) -> NDArray[np.float32]:
    mean = vectors.mean(axis=0)
    unit: NDArray[np.float32] = mean / np.float32(max(float(np.linalg.norm(mean)), 1e-9))
    return unit


def likeliest(likeness: NDArray[np.float32]) -> Labels:
    """The voice of each moment, shape (moments, voices), if a change has its cost (Viterbi)."""
    count, voices = likeness.shape
    before = np.zeros((count, voices), np.intp)
    best = likeness[0].copy()
    for moment in range(1, count):
        changed = best.max() - _CHANGE_COST
        before[moment] = np.where(best >= changed, np.arange(voices), best.argmax())
        best = np.maximum(best, changed) + likeness[moment]
    path = np.zeros(count, np.intp)
    path[-1] = best.argmax()
    for moment in range(count - 1, 0, -1):
        path[moment - 1] = before[moment, path[moment]]
    return path


def _with_voices(
    chances: NDArray[np.float32],
    voices: Vectors,
    together: NDArray[np.float32],
    frames: NDArray[np.intp],
    said_by: Labels,
    found: Vectors,
) -> tuple[NDArray[np.float32], Vectors]:
    """The chances and voices of the other speakers, and those that were found beside them. A
    voice that one of the others has goes to them."""
    places, every = [], list(voices)
    for voice in found:
        likeness = voices @ voice
        if len(likeness) and likeness.max() >= _SAME:
            places.append(int(likeness.argmax()))
        else:
            places.append(len(every))
            every.append(voice)
    all_chances = np.zeros((len(chances), len(every)), np.float32)
    all_chances[:, : chances.shape[1]] = chances
    columns = np.array(places)[said_by]
    all_chances[frames, columns] = np.maximum(all_chances[frames, columns], together[frames])
    return all_chances, np.array(every)
