"""The protocol of a diarizer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SpeakerOptions, Turn, Voice

Samples = NDArray[np.int16]
"""Mono audio at 16 kHz, shape (n,)."""

OnShare = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1. What it raises ends the work."""


def no_report(_share: float) -> None:
    """For work that is short."""


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who spoke when. `turns` are in order of start; `voices` has each speaker of a turn who spoke
    for long enough to tell how they sound."""

    turns: tuple[Turn, ...] = ()
    voices: Mapping[str, Voice] | None = None


class Diarizer(Protocol):
    """One loaded diarizer, shared by all threads of a process."""

    model: str
    """The name of the models, never a local path. Voices carry it."""

    def diarize(
        self, samples: Samples, options: SpeakerOptions, *, on_share: OnShare = lambda _share: None
    ) -> Diarization:
        """Thread-safe; blocks. Known voices of another model raise InvalidRequest."""

    def voice(self, samples: Samples) -> Voice | None:
        """How the one speaker of some audio sounds; None if there is too little speech."""

    def close(self) -> None:
        """Frees the models."""
