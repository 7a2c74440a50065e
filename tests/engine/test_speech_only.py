"""Whoever only makes music is nobody."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from conftest import sample_pcm
from echostream.diarization import Diarization, OnShare, Samples
from echostream.domain import SAMPLE_RATE_HZ, KnownVoice, SpeakerOptions, Turn, Voice
from echostream.engine.speech_only import SpeechOnly, with_speech

MUSIC_S, SPEECH_S = 6, 6
VOICE = Voice("fake", (1.0,))


@dataclass
class Scripted:
    """A diarizer that hears the same people in all audio."""

    people: tuple[Turn, ...]
    model: str = "fake"

    def diarize(
        self, samples: Samples, options: SpeakerOptions, *, on_share: OnShare = lambda _share: None
    ) -> Diarization:
        on_share(1.0)
        return Diarization(self.people, {turn.speaker: VOICE for turn in self.people})

    def voice(self, samples: Samples) -> Voice | None:
        return VOICE

    def close(self) -> None:
        """Nothing is held."""


def music_then_speech() -> Samples:
    at = np.arange(MUSIC_S * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * at) for hz in (220, 277, 330)) * 3000
    return np.concatenate([chord.astype(np.int16), sample_pcm()[: SPEECH_S * SAMPLE_RATE_HZ]])


def test_a_speaker_without_speech_is_left_out():
    music, speech = Turn(0, MUSIC_S, "A"), Turn(MUSIC_S, MUSIC_S + SPEECH_S, "B")
    shares: list[float] = []
    found = SpeechOnly(Scripted((music, speech))).diarize(
        music_then_speech(), SpeakerOptions(), on_share=shares.append
    )
    assert found == Diarization((Turn(MUSIC_S, MUSIC_S + SPEECH_S, "A"),), {"A": VOICE})
    assert all(a <= b for a, b in pairwise(shares))
    assert shares[-1] == 1


def test_music_alone_has_nobody():
    found = SpeechOnly(Scripted((Turn(0, MUSIC_S, "A"),))).diarize(
        music_then_speech()[: MUSIC_S * SAMPLE_RATE_HZ], SpeakerOptions(count=1)
    )
    assert found == Diarization((), {})


def test_known_names_stay():
    ann = SpeakerOptions(known=(KnownVoice("Ann", VOICE),))
    turns = (Turn(0, MUSIC_S, "A"), Turn(MUSIC_S, MUSIC_S + SPEECH_S, "Ann"))
    found = SpeechOnly(Scripted(turns)).diarize(music_then_speech(), ann)
    assert [turn.speaker for turn in found.turns] == ["Ann"]


def test_quiet_turns_of_somebody_who_speaks_stay():
    turns = (Turn(0, 1, "A"), Turn(1, 2, "A"))
    chances = np.repeat(np.array([0.9, 0.0], np.float32), 32)
    assert with_speech(Diarization(turns, {}), chances).turns == turns


def test_a_turn_after_the_end_of_the_audio_is_nobodys():
    beyond = Diarization((Turn(5, 6, "A"),), {})
    assert with_speech(beyond, np.full(32, 0.9, np.float32)).turns == ()
