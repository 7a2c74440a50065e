"""Messages between the process that holds the engine and those that use it.

A connection stands for a place: it starts with `Take`, `Spare` or `Live`, followed by requests and
answers in turn, until it closes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from echostream.domain import Segment, SpeakerOptions, TranscribeOptions, Voice
from echostream.engine.base import Report, Samples
from echostream.engine.service import ModelState
from echostream.engine.vad import Region, VadState


@dataclass(frozen=True, slots=True)
class Watch:
    """Asks for the state now and whenever it changes."""


@dataclass(frozen=True, slots=True)
class Take:
    """Waits for a place; if `patient`, however many wait already."""

    patient: bool = False


@dataclass(frozen=True, slots=True)
class Live:
    """Asks for a place for a live session, with the options that it begins with; `again`, if it had
    one in an engine that has ended."""

    options: TranscribeOptions
    again: bool = False


@dataclass(frozen=True, slots=True)
class Spare:
    """Waits for a place for work that can wait."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Granted at once, without a place. Followed by any number of `Detect`."""


@dataclass(frozen=True, slots=True)
class Load:
    """Asks for the state when the default model is loaded."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Answered by the `ModelState` of the model for these options, once it is loaded."""

    options: TranscribeOptions


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Answered by any number of `Heard`, then by `Done`. `trace` names the trace that it is part
    of, if there is one."""

    samples: Samples
    options: TranscribeOptions
    speech: Sequence[Region] | None
    trace: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PrepareDiarizer:
    """Answered by `DiarizerReady`."""


@dataclass(frozen=True, slots=True)
class DiarizerReady:
    model: str


@dataclass(frozen=True, slots=True)
class Diarize:
    """Answered by any number of shares, then by a `Diarization`. `trace` as in `Transcribe`."""

    samples: Samples
    options: SpeakerOptions
    trace: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Embed:
    """Answered by `Embedded`. It may also come without a place."""

    samples: Samples


@dataclass(frozen=True, slots=True)
class Embedded:
    voice: Voice | None


@dataclass(frozen=True, slots=True)
class Read:
    """Answered by `ReadOnce`."""

    samples: Samples
    options: TranscribeOptions


@dataclass(frozen=True, slots=True)
class ReadOnce:
    segments: list[Segment]
    report: Report
    used: ModelState


@dataclass(frozen=True, slots=True)
class Detect:
    """Answered by `Detected`."""

    samples: Samples
    state: VadState


@dataclass(frozen=True, slots=True)
class Get:
    """Asks for the value of a key in the cache. Answered by `Kept`."""

    key: str


@dataclass(frozen=True, slots=True)
class Put:
    """Answered by `Done`."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Done:
    """The request is granted, or the answer is complete."""
