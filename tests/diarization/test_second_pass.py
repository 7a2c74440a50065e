"""Pieces of turns move to the speaker whose voice is nearest, and new voices are found in them."""

import numpy as np
import pytest

from echostream.diarization.base import Samples
from echostream.diarization.counting import Bounds, groups
from echostream.diarization.embeddings import VoiceModel
from echostream.diarization.reconstruction import Stretch
from echostream.diarization.second_pass import corrected, cut_up, first_alike
from echostream.diarization.segmentation import FRAME, FRAMES_PER_S

SECOND = round(FRAMES_PER_S)
ANY = Bounds()
VOICES = np.eye(2, dtype=np.float32)


class LowAndHigh:
    """Hears speaker 1 wherever the features are those of high sounds."""

    output_size = 2

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        # The mean of each bin is 0, so a voice is told by which bins vary.
        spread = batch[0].std(axis=0)
        high = spread[40:].sum() > spread[:40].sum()
        return np.array([[0.0, 1.0] if high else [1.0, 0.0]], np.float32)


def sound(*pitches: str) -> Samples:
    """Each pitch for 2 s, in bursts."""
    at = np.arange(2 * 16_000) / 16_000
    bursts = np.sin(2 * np.pi * 5 * at) > 0
    hz = {"low": 400, "high": 5000}
    parts = [np.sin(2 * np.pi * hz[pitch] * at) * bursts * 9000 for pitch in pitches]
    return np.concatenate(parts).astype(np.int16)


def turns(seconds: int, *speakers: int) -> np.ndarray:
    """Each speaker for so many seconds, one after the other."""
    chances = np.zeros((len(speakers) * seconds * SECOND, 2), np.float32)
    for place, speaker in enumerate(speakers):
        chances[place * seconds * SECOND : (place + 1) * seconds * SECOND, speaker] = 0.9
    return chances


@pytest.fixture
def model() -> VoiceModel:
    return VoiceModel(LowAndHigh())


def second_look(
    samples: Samples,
    chances: np.ndarray,
    model: VoiceModel,
    bounds: Bounds = ANY,
) -> list[int]:
    """The speaker in the middle of every 2 s."""
    shares: list[float] = []
    voices = VOICES[: chances.shape[1]]
    found, heard = corrected(samples, chances, voices, bounds, model, shares.append)
    assert shares[-1] == 1
    assert len(heard) == found.shape[1]
    middles = range(SECOND, len(samples) // FRAME, 2 * SECOND)
    return [int(found[middle].argmax()) for middle in middles]


def test_a_turn_of_another_voice_moves(model: VoiceModel):
    samples = sound("low", "high", "low")
    assert second_look(samples, turns(2, 0, 1, 1), model) == [0, 1, 0]


def test_a_part_of_a_turn_moves(model: VoiceModel):
    samples = sound("high", "low", "low", "high")
    assert second_look(samples, turns(4, 1, 0), model) == [1, 0, 0, 1]


def test_nobody_vanishes(model: VoiceModel):
    assert second_look(sound("low", "low"), turns(2, 0, 1), model) == [0, 1]


def test_two_voices_that_no_window_told_apart_are_found(model: VoiceModel):
    samples = sound("low", "low", "high", "high", "low")
    as_one = turns(10, 0)[:, :1]
    first, second, third, fourth, fifth = second_look(samples, as_one, model)
    assert first == second == fifth != third == fourth


def test_one_voice_stays_one(model: VoiceModel):
    assert second_look(sound(*["low"] * 5), turns(10, 0)[:, :1], model) == [0] * 5


def test_a_told_number_is_kept(model: VoiceModel):
    samples = sound("low", "low", "high", "high")
    found = second_look(samples, turns(8, 0)[:, :1], model, Bounds(3, 3))
    assert len(set(found)) == 3


def test_no_more_than_told(model: VoiceModel):
    samples = sound("low", "low", "high", "high")
    assert second_look(samples, turns(8, 0)[:, :1], model, Bounds(1, 1)) == [0] * 4


def test_turns_are_cut_where_it_is_quiet():
    at = np.arange(4 * 16_000) / 16_000
    hum = np.sin(2 * np.pi * 200 * at) * 9000
    hum[int(1.6 * 16_000) : int(1.8 * 16_000)] = 0
    cut = next(cut_up(Stretch(0, 4 * SECOND, 0, 1.0), hum.astype(np.int16)))
    assert 1.6 < cut.stop / FRAMES_PER_S < 1.8


def test_a_sound_that_is_played_again_counts_once():
    """Its copies would pass for one more person: they are all alike, and what one person says is
    not."""
    draw = np.random.default_rng(7)
    person, odd = draw.normal(size=(2, 192))
    spoken = [person + 0.6 * draw.normal(size=192) for _ in range(240)]
    played = [odd + 0.6 * person + 0.01 * draw.normal(size=192) for _ in range(12)]
    vectors = np.array([*spoken, *played], np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert groups(vectors, np.full(len(vectors), 2.0, np.float32), ANY).max() == 1
    firsts = first_alike(vectors)
    assert firsts.tolist() == [*range(240), *[240] * 12]
    once = np.unique(firsts)
    assert groups(vectors[once], np.full(len(once), 2.0, np.float32), ANY).max() == 0
