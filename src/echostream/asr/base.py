"""What a speech engine is, to the rest of EchoStream."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from echostream.domain import Segment, TranscribeOptions

Samples = NDArray[np.int16]
"""Mono audio at 16 kHz, shape (n,)."""


@dataclass(frozen=True, slots=True)
class Transcription:
    """An engine at work on one piece of audio.

    `segments` decodes as it is read, in order of time; closing it stops the work. `detected` is
    filled in by the time the first segment has come.
    """

    segments: Generator[Segment]
    detected: "DetectedLanguage"


@dataclass(slots=True)
class DetectedLanguage:
    """Filled in by the engine when it knows; ISO 639-1, or `und` while undetermined."""

    code: str = "und"


class Transcriber(Protocol):
    """One loaded engine, shared by all threads of a process."""

    engine: str
    """`whisper` or `pocketsphinx`."""

    model: str
    """Name of the model in use, never a local path."""

    def transcribe(self, samples: Samples, options: TranscribeOptions) -> Transcription:
        """Start work on `samples`. Thread-safe; the caller's thread does the decoding.

        Raises InvalidRequest for options the engine cannot serve, EngineError when it breaks.
        """

    def close(self) -> None:
        """End child processes and free the model."""
