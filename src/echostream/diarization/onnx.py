"""The diarizer that comes with EchoStream: two small models on onnxruntime, offline."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from echostream.diarization import models
from echostream.diarization.base import Diarization, OnShare, Samples, no_report
from echostream.diarization.clustering import Vectors
from echostream.diarization.counting import MOST, Bounds
from echostream.diarization.embeddings import VoiceModel
from echostream.diarization.naming import check_models, names
from echostream.diarization.people import people_of, tell_apart
from echostream.diarization.reconstruction import Stretch, speaking, stretches
from echostream.diarization.second_pass import corrected
from echostream.diarization.segmentation import (
    FRAME,
    FRAME_CENTRE,
    FRAMES_PER_S,
    SegmentationModel,
)
from echostream.diarization.short_turns import told_apart
from echostream.domain import SAMPLE_RATE_HZ, SpeakerOptions, Turn, Voice
from echostream.errors import ModelUnavailable

_SEGMENTATION_SHARE, _VOICES_SHARE, _SECOND_PASS_SHARE = 0.2, 0.35, 0.35
"""The shares of the time that the first steps take; short turns take the rest."""
_VOICE_LEAST_S = 1.5
"""Speech that it takes to tell how somebody sounds."""
_VOICE_MOST_S = 60.0
_LONGEST_OF_A_REFERENCE_S = 8.0


@dataclass(frozen=True, slots=True)
class _Loaded:
    segmentation: SegmentationModel
    voices: VoiceModel


class OnnxDiarizer:
    """Segmentation of overlapping windows, clustering of voices, and a second pass over turns."""

    def __init__(self, segmentation: Path, voices: Path, *, threads: int = 1) -> None:
        """Raises ModelUnavailable."""
        models.check_hash(segmentation)
        self.model = f"campplus-{models.check_hash(voices)[:8]}"
        self._loaded: _Loaded | None = _Loaded(
            SegmentationModel(models.Network(segmentation, threads)),
            VoiceModel(models.Network(voices, threads)),
        )

    def diarize(
        self, samples: Samples, options: SpeakerOptions, *, on_share: OnShare = lambda _share: None
    ) -> Diarization:
        use = self._use()
        check_models(options.known, self.model, use.voices.dimensions)
        if not len(samples):
            return Diarization()
        report = _Reports(on_share)
        windows = use.segmentation.segmentation(samples, report.part(0, _SEGMENTATION_SHARE))
        if not windows.has_speech:
            on_share(1.0)
            return Diarization()
        in_second_pass = _SEGMENTATION_SHARE + _VOICES_SHARE
        in_short_turns = in_second_pass + _SECOND_PASS_SHARE
        people = people_of(
            samples, windows, use.voices, report.part(_SEGMENTATION_SHARE, in_second_pass)
        )
        bounds = _bounds(options)
        told = tell_apart(people, replace(bounds, least=1))
        if told is None:
            on_share(1.0)
            return Diarization()
        chances, voices = corrected(
            samples,
            speaking(windows, told.labels),
            told.voices,
            bounds,
            use.voices,
            report.part(in_second_pass, in_short_turns),
        )
        chances, voices = told_apart(
            samples, chances, voices, bounds, use.voices, report.part(in_short_turns, 1)
        )
        on_share(1.0)
        return self._named(stretches(chances), voices, options)

    def voice(self, samples: Samples) -> Voice | None:
        use = self._use()
        samples = samples[: int(_VOICE_MOST_S * SAMPLE_RATE_HZ)]
        if not len(samples):
            return None
        windows = use.segmentation.segmentation(samples, no_report)
        people = people_of(
            samples, windows, use.voices, no_report, longest_s=_LONGEST_OF_A_REFERENCE_S
        )
        if people.alone_s[people.heard].sum() < _VOICE_LEAST_S:
            return None
        return self._voice(np.einsum("wpd,wp->d", people.voices, people.alone_s))

    def close(self) -> None:
        self._loaded = None

    def _use(self) -> _Loaded:
        if self._loaded is None:
            raise ModelUnavailable("the diarizer is closed")
        return self._loaded

    def _named(self, turns: list[Stretch], found: Vectors, options: SpeakerOptions) -> Diarization:
        seconds = _seconds(turns)
        voices = {
            speaker: self._voice(found[speaker])
            for speaker, length_s in seconds.items()
            if length_s >= _VOICE_LEAST_S
        }
        called = names(list(seconds), voices, options.known)
        return Diarization(
            tuple(
                Turn(_time_s(turn.start), _time_s(turn.end), called[turn.speaker], turn.confidence)
                for turn in turns
            ),
            {called[speaker]: voice for speaker, voice in voices.items()},
        )

    def _voice(self, vector: NDArray[np.float32]) -> Voice:
        unit = vector / max(float(np.linalg.norm(vector)), 1e-9)
        return Voice(self.model, tuple(unit.tolist()))


@dataclass(frozen=True, slots=True)
class _Reports:
    """Turns the share of a step into that of the whole work."""

    on_share: OnShare

    def part(self, start: float, end: float) -> OnShare:
        return lambda share: self.on_share(start + share * (end - start))


def _bounds(options: SpeakerOptions) -> Bounds:
    if options.count is not None:
        return Bounds(options.count, options.count)
    return Bounds(options.least or 1, options.most or MOST)


def _seconds(turns: list[Stretch]) -> Mapping[int, float]:
    """How long each speaker speaks, in order of first speech."""
    seconds: dict[int, float] = {}
    for turn in turns:
        length_s = (turn.end - turn.start) / FRAMES_PER_S
        seconds[turn.speaker] = seconds.get(turn.speaker, 0.0) + length_s
    return seconds


def _time_s(frame: int) -> float:
    return round((frame * FRAME + FRAME_CENTRE - FRAME / 2) / SAMPLE_RATE_HZ, 3)
