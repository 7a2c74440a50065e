"""Transcripts that clients send back, for insights and questions without audio."""

from collections import Counter
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from echostream.domain import InsightsOptions, Segment, Transcript
from echostream.insights.passages import Recording
from echostream.insights.questions import Question, Turn
from echostream.merging import text_segments
from echostream.options import (
    MOST_CHARS,
    ChosenTemplate,
    InsightsModel,
    Language,
    RecordedAt,
)

_MOST_SEGMENTS = 50_000
_MOST_RECORDINGS = 50
_MOST_TURNS = 20
_LONGEST_QUESTION = 2_000
_LONGEST_ANSWER = 8_000


def _on_one_line(text: object) -> object:
    return " ".join(text.split()) if isinstance(text, str) else text


Title = Annotated[str, BeforeValidator(_on_one_line), Field(max_length=500)]


class GivenSegment(BaseModel):
    """A segment as our answers have it; fields that are not needed are ignored."""

    model_config = ConfigDict(frozen=True)

    id: int = Field(ge=0)
    text: str
    start: float = Field(0.0, ge=0, allow_inf_nan=False)
    end: float = Field(0.0, ge=0, allow_inf_nan=False)
    speaker: Annotated[str, BeforeValidator(_on_one_line), Field(max_length=200)] | None = None
    language: str | None = Field(None, max_length=20)

    def as_segment(self) -> Segment:
        return Segment(
            self.id,
            self.start,
            self.end,
            self.text,
            language=self.language,
            speaker=self.speaker or None,
        )


def _ids_differ(segments: tuple[GivenSegment, ...]) -> tuple[GivenSegment, ...]:
    seen: set[int] = set()
    for segment in segments:
        if segment.id in seen:
            raise ValueError(f"two segments have the id {segment.id}")
        seen.add(segment.id)
    if sum(len(segment.text) for segment in segments) > MOST_CHARS:
        raise ValueError(f"the segments have more than {MOST_CHARS} characters")
    if not any(segment.text.strip() for segment in segments):
        raise ValueError("no segment has any text")
    return segments


GivenSegments = Annotated[
    tuple[GivenSegment, ...],
    Field(min_length=1, max_length=_MOST_SEGMENTS, fail_fast=True),
    AfterValidator(_ids_differ),
]


class InsightsFields(BaseModel):
    """The body of `/insights`."""

    model_config = ConfigDict(frozen=True)

    segments: GivenSegments | None = Field(
        None, description="As an answer has them; their ids are the evidence's."
    )
    transcript: str | None = Field(
        None, max_length=MOST_CHARS, description="Plain text instead of segments."
    )
    template: ChosenTemplate | None = Field(
        None, description="The name of a template, or one of your own."
    )
    language: Language | None = Field(
        None, description="Language of the insights; that of the recording when left out."
    )
    insights_model: InsightsModel | None = Field(
        None,
        alias="insightsModel",
        description="What generates them: one of `GET /insights/models`; the server's choice when"
        " left out.",
    )
    recorded_at: RecordedAt | None = Field(
        None,
        alias="recordedAt",
        description="The day of the recording, or the date and time there: due times such as"
        " 'Friday' then get dates.",
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> "InsightsFields":
        if (self.segments is None) == (not (self.transcript or "").strip()):
            raise ValueError("send either 'segments' or a 'transcript'")
        return self

    @property
    def insights_options(self) -> InsightsOptions:
        template = self.template.as_template() if self.template else None
        return InsightsOptions(template, self.language, self.recorded_at, self.insights_model)

    def as_transcript(self) -> Transcript:
        """What was said. Where nobody says in which language, it is taken to be that of the
        insights, or English."""
        if self.segments is None:
            segments = text_segments(self.transcript or "")
        else:
            segments = tuple(each.as_segment() for each in self.segments)
        spoken = Counter(each.language for each in segments if each.language)
        language = spoken.most_common(1)[0][0] if spoken else self.language or "en"
        end_s = max(each.end_s for each in segments)
        return Transcript(segments, language, end_s, "none", "none")


class GivenRecording(BaseModel):
    """One of several recordings that are asked about."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    title: Title | None = None
    segments: GivenSegments

    def as_recording(self) -> Recording:
        return Recording(_segments(self.segments), self.id, self.title)


class GivenTurn(BaseModel):
    """An earlier question and its answer."""

    model_config = ConfigDict(frozen=True)

    question: str = Field(max_length=_LONGEST_QUESTION)
    answer: str = Field(max_length=_LONGEST_ANSWER)


class AskFields(BaseModel):
    """The body of `/ask`."""

    model_config = ConfigDict(frozen=True)

    question: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST_QUESTION),
        Field(description="What you want to know."),
    ]
    segments: GivenSegments | None = Field(
        None, description="Those of the recording, as an answer has them."
    )
    recordings: (
        Annotated[
            tuple[GivenRecording, ...],
            Field(min_length=1, max_length=_MOST_RECORDINGS, fail_fast=True),
        ]
        | None
    ) = Field(None, description="Several recordings instead, each with `id`, `title`, `segments`.")
    history: Annotated[tuple[GivenTurn, ...], Field(max_length=_MOST_TURNS, fail_fast=True)] = (
        Field((), description="The conversation so far, each with `question` and `answer`.")
    )
    stream: bool = Field(False, description="Answer in server-sent events.")

    @model_validator(mode="after")
    def _one_of_two(self) -> "AskFields":
        if (self.segments is None) == (self.recordings is None):
            raise ValueError("send either 'segments' or 'recordings'")
        ids = [each.id for each in self.recordings or ()]
        if len(set(ids)) < len(ids):
            raise ValueError("two recordings have the same id")
        return self

    def as_question(self) -> Question:
        """The same as a domain object."""
        if self.recordings is not None:
            recordings = tuple(each.as_recording() for each in self.recordings)
        else:
            recordings = (Recording(_segments(self.segments or ())),)
        turns = tuple(Turn(each.question, each.answer) for each in self.history)
        return Question(self.question, recordings, turns)


def _segments(given: tuple[GivenSegment, ...]) -> tuple[Segment, ...]:
    return tuple(each.as_segment() for each in given)
