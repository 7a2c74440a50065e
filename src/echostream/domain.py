"""The words of the domain: what audio becomes. Frozen, no third-party types, times in seconds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

SAMPLE_RATE_HZ = 16_000

Task = Literal["transcribe", "translate"]
SentimentLabel = Literal["positive", "neutral", "negative"]
Stage = Literal["fetching", "decoding", "transcribing", "analysing", "done"]


@dataclass(frozen=True, slots=True)
class Step:
    """How far the work is: the share of its stage that is done, 0 to 1, and while transcribing the
    text so far and the time that is left, None while it cannot be told."""

    stage: Stage
    share: float = 0.0
    text: str = ""
    left_s: float | None = None


Progress = Callable[[Step], None]
"""Told each step. Called from any thread; must not raise."""


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word with its punctuation. `text` carries no surrounding space; `space_before`
    says whether one stands between it and the word before it, as the engine wrote it."""

    start_s: float
    end_s: float
    text: str
    probability: float = 1.0
    space_before: bool = True


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence or a part of one, and how sure the decoder was of it.

    `words` is empty only where the engine cannot time words. `channel` counts from 0 and is set
    where channels were transcribed apart; `language` is None where it is that of the transcript.
    The last five fields are Whisper's own terms; engines without them leave the neutral values.
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
    """Words or segments as text: the one rule by which text is put together, so that French
    `C'est`, `70 %` and Japanese stand as the engine wrote them."""
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

    `language` is an ISO 639-1 code, or None to detect it for each part of the audio; then
    `expected_language` is that of parts too short or unclear to tell. `hotwords` are names and
    terms that are likely to be said, given to every part. A `draft` is replaced by a later reading
    of the same audio, so nothing of it is tried twice. `model` is the name of one, or None for the
    default.
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
        """The same with further names and terms after its own."""
        return replace(self, hotwords=tuple(dict.fromkeys((*self.hotwords, *words))))


@dataclass(frozen=True, slots=True)
class AudioOptions:
    """What is listened to in a file: all of its audio tracks mixed or the one of number `track`,
    from 0; all channels mixed, or each one transcribed apart as a speaker of its own."""

    track: int | None = None
    channels: Literal["mix", "separate"] = "mix"


SPEECH_WITHOUT_TEXT = "speech_without_text"


@dataclass(frozen=True, slots=True)
class Caution:
    """Something about a transcript that its reader should know, such as speech without text.
    `code` is for programs, `message` a sentence; times are None where it is about the whole."""

    code: str
    message: str
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody who speaks, with all the time of their segments. `name` is None while unknown."""

    id: str
    seconds: float
    name: str | None = None
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """All segments of one piece of audio, in order of time. `duration_s` is that of the audio.

    `language` is the one most is said in, `languages` are all, the most spoken first.
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
        """Seconds of speech that no words were found for."""
        return sum(
            each.end_s - each.start_s
            for each in self.warnings
            if each.code == SPEECH_WITHOUT_TEXT
            and each.start_s is not None
            and each.end_s is not None
        )

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
