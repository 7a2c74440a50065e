"""Pieces of turns move to the speaker whose voice is nearest."""

import numpy as np
import pytest

from echostream.diarization.base import Samples
from echostream.diarization.embeddings import VoiceModel
from echostream.diarization.second_pass import corrected
from echostream.diarization.segmentation import FRAME, FRAMES_PER_S

SECOND = round(FRAMES_PER_S)
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
    return VoiceModel(LowAndHigh())  # type: ignore[arg-type]


def second_look(samples: Samples, chances: np.ndarray, model: VoiceModel) -> list[int]:
    """The speaker in the middle of every 2 s."""
    shares: list[float] = []
    found = corrected(samples, chances, VOICES, model, shares.append)
    assert shares[-1] == 1
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
