"""Speakers told piece by piece."""

import numpy as np
import pytest

from echostream.diarization.online import OnlineSpeakers
from echostream.domain import KnownVoice, SpeakerOptions, Voice

RANDOM = np.random.default_rng(0)


def voice(person: int, noise: float = 0.0) -> Voice:
    """How a person sounds in one piece: a unit vector near an axis of their own."""
    vector = np.eye(16)[person] + RANDOM.normal(0, noise, 16)
    return Voice("fake-voices", tuple((vector / np.linalg.norm(vector)).tolist()))


def told(options: SpeakerOptions, *voices: Voice) -> list[str]:
    speakers = OnlineSpeakers(options)
    return [speakers.speaker(each, 3.0) for each in voices]


def test_letters_are_in_order_of_first_speech_and_stay() -> None:
    order = [3, 1, 3, 3, 7, 1, 3, 7, 1] * 10
    names = {3: "A", 1: "B", 7: "C"}
    found = told(SpeakerOptions(), *(voice(each, noise=0.1) for each in order))
    assert found == [names[each] for each in order]


@pytest.mark.parametrize("options", [SpeakerOptions(count=2), SpeakerOptions(most=2)])
def test_there_are_no_more_than_was_said(options: SpeakerOptions) -> None:
    assert set(told(options, *(voice(each) for each in range(5)))) == {"A", "B"}


def test_known_voices_have_their_names() -> None:
    known = SpeakerOptions(known=(KnownVoice("Ann", voice(4)), KnownVoice("B", voice(5))))
    assert told(known, voice(1), voice(4), voice(2)) == ["A", "Ann", "C"]


def test_who_is_recognised_later_is_named_from_then_on() -> None:
    known = SpeakerOptions(known=(KnownVoice("Ann", voice(4)),))
    unclear = np.eye(16)[4] * 0.6 + np.eye(16)[9] * 0.8
    first = Voice("fake-voices", tuple(unclear.tolist()))
    assert told(known, first, *[voice(4)] * 3)[0] == "A"
    assert told(known, first, *[voice(4)] * 3)[-1] == "Ann"


def test_a_known_name_goes_to_one_speaker() -> None:
    near = np.eye(16)[4] * 0.8 + np.eye(16)[9] * 0.6
    known = SpeakerOptions(known=(KnownVoice("Ann", Voice("fake-voices", tuple(near))),))
    assert told(known, voice(4), voice(9)) == ["Ann", "A"]
