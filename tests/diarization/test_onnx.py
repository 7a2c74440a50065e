"""The diarizer with its real models, on half a minute of the sample."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from conftest import sample_pcm, sample_turns
from echostream.diarization import Diarization, load_diarizer, models
from echostream.diarization.online import OnlineSpeakers
from echostream.diarization.onnx import OnnxDiarizer
from echostream.domain import KnownVoice, SpeakerOptions, Voice
from echostream.errors import Cancelled, InvalidRequest, ModelUnavailable
from echostream.settings import Settings

RATE = 16_000
SECONDS = 26
"""The three speakers of the sample, five turns."""


@pytest.fixture(scope="module")
def diarizer() -> Iterator[OnnxDiarizer]:
    loaded = load_diarizer(Settings())
    assert isinstance(loaded, OnnxDiarizer)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def found(diarizer: OnnxDiarizer) -> tuple[Diarization, list[float]]:
    """The sample's speakers, Maria known, and the progress."""
    maria = diarizer.voice(spoken_by("Maria"))
    assert maria is not None
    shares: list[float] = []
    options = SpeakerOptions(known=(KnownVoice("Maria", maria),))
    return diarizer.diarize(sample_pcm()[: SECONDS * RATE], options, on_share=shares.append), shares


def spoken_by(speaker: str) -> np.ndarray:
    """The last turn of a speaker, which is not in the half minute."""
    turn = [each for each in sample_turns() if each["speaker"] == speaker][-1]
    return sample_pcm()[int(turn["start_s"] * RATE) : int(turn["end_s"] * RATE)]


def test_the_speakers_of_the_sample(found: tuple[Diarization, list[float]]):
    turns = found[0].turns
    expected = [each for each in sample_turns() if each["start_s"] < SECONDS]
    assert len(turns) == len(expected)
    for turn, real in zip(turns, expected, strict=True):
        assert abs(turn.start_s - real["start_s"]) < 0.25
        assert abs(turn.end_s - min(real["end_s"], SECONDS)) < 0.25
        assert 0 < turn.confidence <= 1
    called = {"Maria": "Maria", "David": "A", "Michael": "B"}
    assert [turn.speaker for turn in turns] == [called[each["speaker"]] for each in expected]


def test_speakers_told_piece_by_piece(diarizer: OnnxDiarizer):
    speakers = OnlineSpeakers(SpeakerOptions())
    told = []
    for turn in sample_turns():
        end_s = min(turn["end_s"], turn["start_s"] + 3)
        samples = sample_pcm()[int(turn["start_s"] * RATE) : int(end_s * RATE)]
        voice = diarizer.voice(samples)
        assert voice is not None
        told.append(speakers.speaker(voice, end_s - turn["start_s"]))
    names = dict(zip(("Maria", "David", "Michael"), "ABC", strict=True))
    assert told == [names[turn["speaker"]] for turn in sample_turns()]


def test_voices_are_of_unit_length_and_name_their_model(
    diarizer: OnnxDiarizer, found: tuple[Diarization, list[float]]
):
    voices = found[0].voices
    assert voices is not None
    assert set(voices) == {"Maria", "A", "B"}
    assert {voice.model for voice in voices.values()} == {diarizer.model}
    assert all(abs(np.linalg.norm(voice.embedding) - 1) < 1e-5 for voice in voices.values())


def test_progress_only_grows(found: tuple[Diarization, list[float]]):
    shares = found[1]
    assert all(a <= b for a, b in pairwise(shares))
    assert 0 < shares[0] < shares[-1] == 1


@pytest.mark.parametrize("count", [0, 1, 12 * RATE])
def test_silence_has_no_speakers(diarizer: OnnxDiarizer, count: int):
    silence = np.zeros(count, np.int16)
    assert diarizer.diarize(silence, SpeakerOptions(count=2)).turns == ()
    assert diarizer.voice(silence) is None


def test_what_progress_raises_ends_the_work(diarizer: OnnxDiarizer):
    def cancel(_share: float) -> None:
        raise Cancelled("asked to stop")

    with pytest.raises(Cancelled):
        diarizer.diarize(sample_pcm()[: 5 * RATE], SpeakerOptions(), on_share=cancel)


def test_voices_of_another_model_are_refused(diarizer: OnnxDiarizer):
    stranger = KnownVoice("Eve", Voice("another", (1.0,)))
    with pytest.raises(InvalidRequest):
        diarizer.diarize(sample_pcm()[:RATE], SpeakerOptions(known=(stranger,)))


def test_a_closed_diarizer_says_so():
    closed = load_diarizer(Settings())
    closed.close()
    with pytest.raises(ModelUnavailable):
        closed.voice(sample_pcm()[:RATE])


def test_a_folder_with_other_models(tmp_path: Path):
    for name in (models.SEGMENTATION, models.VOICE):
        (tmp_path / name).symlink_to(models.OWN_WEIGHTS / name)
    load_diarizer(Settings(diarization_model=str(tmp_path))).close()


def test_missing_and_damaged_models_give_a_sentence(tmp_path: Path):
    with pytest.raises(ModelUnavailable, match="not a folder"):
        load_diarizer(Settings(diarization_model=str(tmp_path / "none")))
    with pytest.raises(ModelUnavailable, match="segmentation"):
        load_diarizer(Settings(diarization_model=str(tmp_path)))
    (tmp_path / models.SEGMENTATION).write_bytes(b"no model")
    (tmp_path / models.VOICE).write_bytes(b"no model")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load_diarizer(Settings(diarization_model=str(tmp_path)))


def test_the_licences_are_beside_the_models():
    text = (models.OWN_WEIGHTS / "LICENSES.txt").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "MIT" in text
