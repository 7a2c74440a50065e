"""The protocol of a speech engine, and its report on the work."""

import math
import time
from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from echostream.domain import Caution, Segment, TranscribeOptions
from echostream.errors import InvalidRequest

if TYPE_CHECKING:  # it needs our samples
    from echostream.engine.vad import Region

Samples = NDArray[np.int16]
"""Mono audio at 16 kHz, shape (n,)."""

_FIRST_BATCH_S = 10.0
"""The estimated duration of the first batch."""
ENGLISH = frozenset({"en"})
_LEAST_SHARE = 0.02
"""A language with a smaller share of the speech was misheard, or is only a name or a title."""


@dataclass(slots=True)
class Report:
    """What an engine reports besides segments while it works. The engine's thread writes it, any
    thread may read it. `language` is `und` until it is known; `batches` counts batches begun."""

    language: str = "und"
    warnings: list[Caution] = field(default_factory=list)
    batches: int = 0
    _spoken_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _done_s: float = 0.0
    _until_s: float = 0.0
    _began: float = 0.0
    _pace: float = 0.0

    def spoken(self, language: str, seconds: float) -> None:
        """Adds some seconds that were spoken in a language."""
        self._spoken_s[language] += seconds
        self.language = max(self._spoken_s, key=self._spoken_s.__getitem__)

    @property
    def languages(self) -> tuple[str, ...]:
        """All languages that were spoken, the most used first."""
        said_s = self._spoken_s
        least_s = _LEAST_SHARE * sum(said_s.values())
        in_order = sorted(said_s, key=said_s.__getitem__, reverse=True)
        return tuple(code for code in in_order if said_s[code] >= least_s)

    def begin(self, until_s: float) -> None:
        """Starts a batch: the audio up to `until_s`."""
        self._until_s, self._began = until_s, time.monotonic()
        self.batches += 1

    def end(self) -> None:
        """Ends the batch: its audio has been read."""
        took_s = max(time.monotonic() - self._began, 1e-6)
        pace = (self._until_s - self._done_s) / took_s
        # Averaged, because batches differ in how much speech they have.
        self._pace = (self._pace + pace) / 2 if self._pace else pace
        self._done_s, self._began = self._until_s, 0.0

    def read_s(self) -> float:
        """How much of the audio has been read. Within a batch, where the engine reports nothing, it
        is estimated from the pace of earlier batches, and never reaches the batch's end."""
        if not self._began:
            return self._done_s
        length_s = self._until_s - self._done_s
        at_work_s = time.monotonic() - self._began
        expected_s = length_s / self._pace if self._pace else _FIRST_BATCH_S
        # Limited, because after a very long time rounding would give a full 1.
        return self._done_s + length_s * min(0.999, 1 - math.exp(-1.5 * at_work_s / expected_s))

    def left_s(self, duration_s: float) -> float | None:
        """How long the rest takes at this pace; None until the first batch is done."""
        return (duration_s - self.read_s()) / self._pace if self._pace else None


@dataclass(frozen=True, slots=True)
class Transcription:
    """An engine at work on one piece of audio.

    Reading `segments` does the decoding, in order of time; closing it stops the work. The report's
    language is known when the first segment arrives.
    """

    segments: Generator[Segment]
    report: Report


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do with the model it has loaded. `languages` are ISO 639-1 codes, None
    where any may be asked for; `streaming` is live audio."""

    languages: frozenset[str] | None = None
    translation: bool = True
    word_times: bool = True
    streaming: bool = True

    def check(self, model: str, options: TranscribeOptions, *, live: bool = False) -> None:
        """Raise InvalidRequest if `options` ask for more."""
        if self.languages is not None and options.language not in (None, *self.languages):
            knows = "knows English only" if self.languages == ENGLISH else "has not learned it"
            raise InvalidRequest(f"language {options.language!r}: the model {model!r} {knows}")
        if options.task == "translate" and not self.translation:
            raise InvalidRequest(f"the model {model!r} cannot translate")
        if live and not self.streaming:
            raise InvalidRequest(f"the model {model!r} takes no live audio")


class Transcriber(Protocol):
    """One loaded engine, shared by all threads of a process."""

    engine: str
    """`whisper` or `pocketsphinx`."""

    model: str
    """The name of the model, never a local path."""

    capabilities: Capabilities
    """Whoever calls `transcribe` checks its options against them first."""

    def transcribe(
        self,
        samples: Samples,
        options: TranscribeOptions,
        *,
        live: bool = False,
        speech: "Sequence[Region] | None" = None,
    ) -> Transcription:
        """Starts work on `samples`. Thread-safe; blocks the thread that reads the segments. Audio
        of a live session is read before that of files. `speech` says where speech is, none of it
        longer than LONGEST_SPEECH_S, if that is known; an engine may look for it all the same.

        Raises EngineError if it fails.
        """

    def close(self) -> None:
        """Ends child processes and frees the model."""
