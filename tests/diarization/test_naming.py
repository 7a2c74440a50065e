"""Speakers are letters by first speech, or names of known voices."""

import pytest

from echostream.diarization.naming import check_models, names
from echostream.domain import KnownVoice, Voice
from echostream.errors import InvalidRequest

ADA, BEN, STRANGER = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.5, 0.7071)


def voice(embedding: tuple[float, ...], model: str = "m") -> Voice:
    return Voice(model, embedding)


KNOWN = (KnownVoice("Ada", voice(ADA)), KnownVoice("Ben", voice(BEN)))


def test_letters_go_by_first_speech():
    assert names([3, 0, 2], {}, ()) == {3: "A", 0: "B", 2: "C"}


def test_known_voices_get_their_names_and_strangers_do_not():
    voices = {0: voice(STRANGER), 1: voice((0.1, 0.99, 0.0))}
    assert names([0, 1], voices, KNOWN) == {0: "A", 1: "Ben"}


def test_a_name_is_only_given_to_the_speaker_most_like_it():
    voices = {0: voice((0.8, 0.0, 0.6)), 1: voice((0.95, 0.0, 0.3))}
    assert names([0, 1], voices, KNOWN) == {0: "A", 1: "Ada"}


def test_no_letter_is_also_a_name():
    voices = {1: voice(ADA)}
    assert names([0, 1, 2], voices, (KnownVoice("A", voice(ADA)),)) == {0: "B", 1: "A", 2: "C"}


def test_a_speaker_without_a_voice_is_nobody_known():
    assert names([0], {}, KNOWN) == {0: "A"}


@pytest.mark.parametrize("strange", [voice(ADA, model="other"), voice((1.0, 0.0))])
def test_voices_of_other_models_are_refused(strange: Voice):
    check_models(KNOWN, "m", 3)
    with pytest.raises(InvalidRequest, match="Eve"):
        check_models([KnownVoice("Eve", strange)], "m", 3)
