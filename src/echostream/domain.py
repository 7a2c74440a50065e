"""The domain's types: transcripts and insights. Frozen, no third-party types, times in seconds."""

import base64
import math
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

SAMPLE_RATE_HZ = 16_000

Task = Literal["transcribe", "translate"]
SentimentLabel = Literal["positive", "neutral", "negative"]
Stage = Literal["fetching", "decoding", "transcribing", "diarizing", "analysing", "done"]


# Start and size of each stage, in percent of the work on a recording. Transcription has most of it,
# so that 50 means that half of the audio has been read.
_PERCENT: dict[Stage, tuple[int, int]] = {
    "fetching": (0, 5),
    "decoding": (5, 5),
    "transcribing": (10, 80),
    "diarizing": (90, 5),
    "analysing": (95, 4),
    "done": (99, 0),
}


@dataclass(frozen=True, slots=True)
class Step:
    """The progress of the work: the share of the stage that is done, 0 to 1, and while transcribing
    the text so far and the remaining time, None if unknown."""

    stage: Stage
    share: float = 0.0
    text: str = ""
    left_s: float | None = None

    @property
    def percent(self) -> int:
        """The progress of the whole work. 100 is only reached by its result."""
        start, width = _PERCENT[self.stage]
        return start + int(width * min(1.0, max(0.0, self.share)))


Progress = Callable[[Step], None]
"""Called with each step, from any thread; must not raise."""


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word with its punctuation. `text` has no surrounding spaces; `space_before` says
    whether the engine wrote a space between the previous word and this one."""

    start_s: float
    end_s: float
    text: str
    probability: float = 1.0
    space_before: bool = True


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence or a part of one, and how confident the decoder was.

    `words` is only empty if the engine cannot time words. `channel` counts from 0 and is set if
    channels were transcribed separately. `language` is None if it is that of the transcript. The
    last five fields are Whisper's; other engines leave the neutral values.
    """

    id: int
    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    space_before: bool = True
    language: str | None = None
    channel: int | None = None
    speaker: str | None = None
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0


def joined(pieces: Iterable[Word | Segment]) -> str:
    """Words or segments as text. Text is only joined here, so that French `C'est`, `70 %` and
    Japanese stay as the engine wrote them."""
    text: list[str] = []
    for piece in pieces:
        if stripped := piece.text.strip():
            if text and piece.space_before:
                text.append(" ")
            text.append(stripped)
    return "".join(text)


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """What a caller may ask of an engine.

    `model` is a name that the engine offers, or None for its default. `language` is an ISO 639-1
    code, or None to detect it for each part of the audio; then parts that are too short or unclear
    get `expected_language`. `hotwords` are names and terms that are likely to be said; every part
    gets them. A `draft` will be replaced by a later reading of the same audio, so no part of it is
    tried twice.
    """

    language: str | None = None
    expected_language: str | None = None
    task: Task = "transcribe"
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    temperature: float = 0.0
    draft: bool = False
    model: str | None = None

    def with_vocabulary(self, words: Iterable[str]) -> "TranscribeOptions":
        """The same options, with more names and terms after their own."""
        return replace(self, hotwords=tuple(dict.fromkeys((*self.hotwords, *words))))


@dataclass(frozen=True, slots=True)
class AudioOptions:
    """Which sound of a file is used: all audio tracks mixed, or only `track`, counted from 0; all
    channels mixed, or each channel transcribed separately as one speaker."""

    track: int | None = None
    channels: Literal["mix", "separate"] = "mix"


SPEECH_WITHOUT_TEXT = "speech_without_text"
DIARIZATION_FAILED = "diarization_failed"
FINAL_PASS_FAILED = "final_pass_failed"  # noqa: S105 - no password


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that readers of a transcript should know, such as speech without text. `code` is
    for programs, `message` is a sentence. Times are None if it concerns the whole transcript."""

    code: str
    message: str
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Voice:
    """How somebody sounds: an embedding of unit length. Voices of different models cannot be
    compared."""

    model: str
    embedding: tuple[float, ...]

    def dump(self) -> str:
        """The voice as text: `<model>:<base64 of float32, little endian>`."""
        packed = struct.pack(f"<{len(self.embedding)}f", *self.embedding)
        return f"{self.model}:{base64.b64encode(packed).decode()}"

    @classmethod
    def load(cls, text: str) -> "Voice":
        """Reads what `dump` returned. Raises ValueError for anything else."""
        # Names of models may have colons, base64 has none.
        model, _, encoded = text.rpartition(":")
        packed = base64.b64decode(encoded, validate=True)
        if not model or not packed or len(packed) % 4:
            raise ValueError("no model's name, or not a list of float32")
        embedding = struct.unpack(f"<{len(packed) // 4}f", packed)
        if not math.isclose(math.hypot(*embedding), 1.0, abs_tol=0.01):
            raise ValueError("not of unit length")
        return cls(model, embedding)


@dataclass(frozen=True, slots=True)
class KnownVoice:
    """A voice whose speaker's name is known."""

    name: str
    voice: Voice


@dataclass(frozen=True, slots=True)
class SpeakerOptions:
    """What a caller knows of the speakers: their exact number, or its bounds, and some of their
    voices. None means unknown."""

    count: int | None = None
    least: int | None = None
    most: int | None = None
    known: tuple[KnownVoice, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's speech without a long pause. Turns of different speakers may overlap.

    `speaker` is "A", "B", … in order of first speech, or a known name. `confidence` is 0 to 1.
    """

    start_s: float
    end_s: float
    speaker: str
    confidence: float = 1.0


def letters(place: int) -> str:
    """What speakers are called: A, B, … Z, AA, AB, … for 0, 1, … 25, 26, 27, …"""
    name = ""
    place += 1
    while place:
        place, letter = divmod(place - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker, with the total time of their segments. `name` is None if unknown."""

    id: str
    seconds: float
    name: str | None = None
    channel: int | None = None
    voice: Voice | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """All segments of some audio, in order of time. `duration_s` is the length of the audio.

    `language` is the most used language; `languages` are all, the most used first.
    """

    segments: tuple[Segment, ...]
    language: str
    duration_s: float
    engine: str
    model: str
    languages: tuple[str, ...] = ()
    warnings: tuple[Caution, ...] = ()
    speakers: tuple[Speaker, ...] = ()

    @property
    def text(self) -> str:
        return joined(self.segments)

    def with_cautions(self, cautions: Iterable[Caution]) -> "Transcript":
        """The same with further warnings after its own."""
        return replace(self, warnings=(*self.warnings, *cautions))

    @property
    def unread_s(self) -> float:
        """Seconds of speech without text."""
        return sum(
            each.end_s - each.start_s
            for each in self.warnings
            if each.code == SPEECH_WITHOUT_TEXT
            and each.start_s is not None
            and each.end_s is not None
        )

    @property
    def is_diarization_failed(self) -> bool:
        return any(each.code == DIARIZATION_FAILED for each in self.warnings)

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for segment in self.segments for word in segment.words)


@dataclass(frozen=True, slots=True)
class Sentiment:
    """`score` is the confidence in the label, 0 to 1."""

    label: SentimentLabel
    score: float


@dataclass(frozen=True, slots=True)
class Point:
    """A statement about the transcript, with the ids of the segments that support it."""

    text: str
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ActionItem:
    """A task for somebody. `owner` and `due` are None if nobody said them. `due_date` is the day
    that `due` means; None if that is not sure, or nobody knows when the recording was made."""

    text: str
    owner: str | None
    due: str | None
    evidence: tuple[int, ...]
    due_date: date | None = None


@dataclass(frozen=True, slots=True)
class TemplateSection:
    """What a template asks for under one heading. `key` is unique in its template."""

    key: str
    title: str
    instructions: str


@dataclass(frozen=True, slots=True)
class Template:
    """What to look for in one kind of recording, beside what is looked for in all."""

    name: str
    title: str
    instructions: str = ""
    sections: tuple[TemplateSection, ...] = ()


@dataclass(frozen=True, slots=True)
class InsightsOptions:
    """What a caller may ask of insights. `template` is None for the default one, `language` (an
    ISO 639-1 code) for that of the recording. `recorded_on` is the day on which it was recorded,
    None if nobody knows: due times are counted from it. `model` is one of the names that callers
    may choose from, None for the server's choice."""

    template: Template | None = None
    language: str | None = None
    recorded_on: date | None = None
    model: str | None = None


AS_USUAL = InsightsOptions()


@dataclass(frozen=True, slots=True)
class Section:
    """The statements found for a section of a template."""

    key: str
    title: str
    items: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens that language models were sent and wrote, retries and repairs included; 0 if their
    servers do not say."""

    sent: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class SentimentAt:
    """The sentiment of one segment."""

    segment_id: int
    label: SentimentLabel
    score: float


@dataclass(frozen=True, slots=True)
class InsightsMeta:
    """How insights were made. `coverage` is the share of the transcript's text that was read,
    `template` the name of the template that was asked for, `seconds` the time it took."""

    provider: str
    model: str | None
    coverage: float
    degraded: bool = False
    degraded_reason: str | None = None
    template: str | None = None
    tokens: Tokens = Tokens()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Details:
    """All insights with their evidence; the flat fields of `Insights` repeat a part of them."""

    title: str
    key_points: tuple[Point, ...]
    decisions: tuple[Point, ...]
    questions: tuple[Point, ...]
    action_items: tuple[ActionItem, ...]
    sentiment_timeline: tuple[SentimentAt, ...]
    meta: InsightsMeta
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class Insights:
    """`summary`, `topics`, `action_items` and `sentiment` are the fields of the first clients."""

    summary: str
    topics: tuple[str, ...]
    sentiment: Sentiment
    details: Details
    action_items: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        flat = tuple(item.text for item in self.details.action_items)
        object.__setattr__(self, "action_items", flat)
