"""What decoders keep to: they turn windows of audio into words, several windows at once."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from echostream.domain import Task
from echostream.engine.whisper.languages import Chances
from echostream.engine.whisper.words import SpokenWord

Audio = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ask:
    """How to decode a window."""

    task: Task = "transcribe"
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of one window. Word times are in seconds from its start.

    `avg_logprob`, `no_speech_prob` and `compression_ratio` are Whisper's terms. `is_cut` says that
    the text was still going on at the limit of its length.
    """

    words: tuple[SpokenWord, ...]
    language: str
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    compression_ratio: float = 1.0
    temperature: float = 0.0
    is_cut: bool = False

    @property
    def text(self) -> str:
        return "".join(
            f"{' ' if word.space_before and number else ''}{word.text}"
            for number, word in enumerate(self.words)
        )


def compression_ratio(text: str) -> float:
    """Whisper's measure of repetition: how many times smaller zlib makes the text."""
    data = text.strip().encode()
    return len(data) / len(zlib.compress(data)) if data else 1.0


@dataclass(frozen=True, slots=True)
class Encoded:
    """A window as the encoder sees it. `output` has the shape (time steps, model size).

    `padded` says that the encoder saw 30 s, as Whisper was trained to.
    """

    output: Any
    duration_s: float
    padded: bool = True


@dataclass(frozen=True, slots=True)
class Span:
    """A part of an encoded window, in seconds from its start."""

    encoded: Encoded
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Request:
    """A window to decode. `language` is an ISO 639-1 code."""

    encoded: Encoded
    language: str
    ask: Ask


class Decoder(Protocol):
    """A speech model that reads windows of up to 30 s, several at once. Thread-safe. The windows
    in a call may come from different recordings."""

    @property
    def is_multilingual(self) -> bool: ...

    def encode(self, audios: Sequence[Audio], *, padded: bool) -> list[Encoded]:
        """Encodes audio for the other methods. Each audio has 1 to 480,000 samples.

        If not `padded`, short audio may be encoded without the silence that Whisper was trained to
        fill 30 s with. It takes a third of the time, but the text of some windows is a loop.
        """

    def languages(self, spans: Sequence[Span]) -> list[Chances]:
        """Returns the probability of each language for each span, by ISO 639-1 code. It uses the
        existing encoding."""

    def decode(self, requests: Sequence[Request]) -> list[Reading]:
        """Returns the words of each window. The model must know their languages."""

    def close(self) -> None:
        """Frees the model."""
