"""The words of the domain: what audio becomes. Frozen, no third-party types, times in seconds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

SAMPLE_RATE_HZ = 16_000

Task = Literal["transcribe", "translate"]
SentimentLabel = Literal["positive", "neutral", "negative"]
Stage = Literal["fetching", "decoding", "transcribing", "analysing", "done"]

Progress = Callable[[Stage, float], None]
"""Told the stage and the share of it that is done, 0 to 1. Called from any thread;
must not raise."""


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word. `text` carries no surrounding space."""

    start_s: float
    end_s: float
    text: str
    probability: float = 1.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech with its text, and how sure the decoder was of it.

    `words` is empty unless word timestamps were asked for. The last five fields are Whisper's own
    terms; engines without them leave the neutral values.
    """

    id: int
    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """What a caller may ask of an engine; `language` is an ISO 639-1 code or None to detect."""

    language: str | None = None
    task: Task = "transcribe"
    prompt: str | None = None
    word_timestamps: bool = False
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """All segments of one piece of audio, in order of time. `duration_s` is that of the audio."""

    segments: tuple[Segment, ...]
    language: str
    duration_s: float
    engine: str
    model: str

    @property
    def text(self) -> str:
        return " ".join(text for segment in self.segments if (text := segment.text.strip()))

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for segment in self.segments for word in segment.words)


@dataclass(frozen=True, slots=True)
class Sentiment:
    """`score` is the confidence of the label, 0 to 1."""

    label: SentimentLabel
    score: float


@dataclass(frozen=True, slots=True)
class Point:
    """A statement drawn from the transcript, with the ids of the segments that bear it out."""

    text: str
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ActionItem:
    """Something somebody will do. `owner` and `due` are None where nobody said them."""

    text: str
    owner: str | None
    due: str | None
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SentimentAt:
    """The sentiment of one segment."""

    segment_id: int
    label: SentimentLabel
    score: float


@dataclass(frozen=True, slots=True)
class InsightsMeta:
    """How insights came about. `coverage` is the share of the transcript's text that was read."""

    provider: str
    model: str | None
    coverage: float
    degraded: bool = False
    degraded_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """Everything the flat fields of `Insights` are projected from."""

    title: str
    key_points: tuple[Point, ...]
    decisions: tuple[Point, ...]
    questions: tuple[Point, ...]
    action_items: tuple[ActionItem, ...]
    sentiment_timeline: tuple[SentimentAt, ...]
    meta: InsightsMeta


@dataclass(frozen=True, slots=True)
class Insights:
    """`summary`, `topics`, `action_items` and `sentiment` are the shape existing clients read."""

    summary: str
    topics: tuple[str, ...]
    sentiment: Sentiment
    details: Details
    action_items: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        flat = tuple(item.text for item in self.details.action_items)
        object.__setattr__(self, "action_items", flat)
