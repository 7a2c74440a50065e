"""What is found in a transcript: insights with their evidence, and what callers may ask of them."""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

SentimentLabel = Literal["positive", "neutral", "negative"]


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
class Sentiment:
    """`score` is the confidence in the label, 0 to 1."""

    label: SentimentLabel
    score: float


@dataclass(frozen=True, slots=True)
class SentimentAt:
    """The sentiment of one segment."""

    segment_id: int
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
