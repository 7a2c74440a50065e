"""A diarizer for audio with music. Its segmentation hears people in some instruments, a cello or an
organ; the detector of speech that the transcription uses too does not."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from echostream.diarization import Diarization, Diarizer, OnShare
from echostream.diarization import load_diarizer as load_any_diarizer
from echostream.diarization.naming import relettered
from echostream.domain import SAMPLE_RATE_HZ, SpeakerOptions, Turn, Voice
from echostream.engine.base import Samples
from echostream.engine.vad import FRAME_SAMPLES, VadState, detect_speech
from echostream.settings import Settings

_LEAST_SPEECH = 0.08
"""The mean probability of speech where somebody speaks. Of made music it is at most 0.03, of people
across a room at least 0.17, of others over 0.5."""
_BLOCK = 60 * SAMPLE_RATE_HZ // FRAME_SAMPLES * FRAME_SAMPLES
_DIARIZER_SHARE = 0.95
_FRAMES_PER_S = SAMPLE_RATE_HZ / FRAME_SAMPLES


class SpeechOnly:
    """Another diarizer, without the speakers whose turns have no speech."""

    def __init__(self, inner: Diarizer) -> None:
        self._inner = inner
        self.model = inner.model

    def diarize(
        self, samples: Samples, options: SpeakerOptions, *, on_share: OnShare = lambda _share: None
    ) -> Diarization:
        found = self._inner.diarize(
            samples, options, on_share=lambda share: on_share(_DIARIZER_SHARE * share)
        )
        if found.turns:
            known = [each.name for each in options.known]
            found = with_speech(found, _speech(samples, on_share), known)
        on_share(1.0)
        return found

    def voice(self, samples: Samples) -> Voice | None:
        return self._inner.voice(samples)

    def close(self) -> None:
        self._inner.close()


def load_diarizer(settings: Settings) -> Diarizer:
    """Raises ModelUnavailable."""
    return SpeechOnly(load_any_diarizer(settings))


def with_speech(
    found: Diarization, chances: NDArray[np.float32], known: Collection[str] = ()
) -> Diarization:
    """The people whose turns have speech, by its chance in each frame. All but the `known` names
    are letters, which are given anew."""
    turns_of: dict[str, list[Turn]] = {}
    for turn in found.turns:
        turns_of.setdefault(turn.speaker, []).append(turn)
    heard = [name for name, turns in turns_of.items() if _mean(turns, chances) >= _LEAST_SPEECH]
    called = relettered(heard, known)
    return Diarization(
        tuple(
            replace(turn, speaker=called[turn.speaker])
            for turn in found.turns
            if turn.speaker in called
        ),
        {called[name]: voice for name, voice in (found.voices or {}).items() if name in called},
    )


def _mean(turns: Sequence[Turn], chances: NDArray[np.float32]) -> float:
    """The mean chance of speech in some turns."""
    spans = [
        chances[int(turn.start_s * _FRAMES_PER_S) : int(turn.end_s * _FRAMES_PER_S) + 1]
        for turn in turns
    ]
    spoken = np.concatenate(spans)
    return float(spoken.mean()) if len(spoken) else 0.0  # the last window outlasts the audio


def _speech(samples: Samples, on_share: OnShare) -> NDArray[np.float32]:
    chances: list[float] = []
    state = VadState()
    for start in range(0, len(samples), _BLOCK):
        piece = samples[start : start + _BLOCK]
        detected = detect_speech(np.pad(piece, (0, -len(piece) % FRAME_SAMPLES)), state)
        chances += detected.chances
        state = detected.state
        on_share(_DIARIZER_SHARE + (1 - _DIARIZER_SHARE) * (start + len(piece)) / len(samples))
    return np.array(chances, np.float32)
