"""The JSON that clients see, made from the domain types. Names and shapes are a contract: fields
may be added, but never renamed or removed."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from echostream.domain import (
    ActionItem,
    Caution,
    Details,
    Insights,
    InsightsMeta,
    Point,
    Section,
    Segment,
    SentimentLabel,
    Speaker,
    Tokens,
    Transcript,
    Word,
)


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class WordShape(_Shape):
    word: str
    start: float = Field(description="Seconds from the start of the audio.")
    end: float
    probability: float
    spaceBefore: bool = Field(  # noqa: N815
        True, description="Whether a space stands between it and the word before it."
    )
    speaker: str | None = Field(None, description="That of its segment.")

    @classmethod
    def of(cls, word: Word, speaker: str | None = None) -> "WordShape":
        return cls(
            speaker=speaker,
            word=word.text,
            start=word.start_s,
            end=word.end_s,
            probability=word.probability,
            spaceBefore=word.space_before,
        )


class SegmentShape(_Shape):
    id: int
    start: float = Field(description="Seconds from the start of the audio.")
    end: float
    text: str
    words: list[WordShape] = Field(description="Empty unless `wordTimestamps` was asked for.")
    spaceBefore: bool = Field(  # noqa: N815
        True, description="Whether a space stands between it and the segment before it."
    )
    language: str | None = Field(None, description="ISO 639-1 code, null where it is not known.")
    channel: int | None = Field(
        None, description="From 0, where `channels` was `separate`; else null."
    )
    speaker: str | None = Field(
        None,
        description="`A`, `B`, … in order of first speech, or a known name; null where nobody can"
        " be told, or speakers were not asked for.",
    )

    @classmethod
    def of(cls, segment: Segment, *, with_words: bool = True) -> "SegmentShape":
        return cls(
            id=segment.id,
            start=segment.start_s,
            end=segment.end_s,
            text=segment.text,
            words=[WordShape.of(word, segment.speaker) for word in segment.words]
            if with_words
            else [],
            spaceBefore=segment.space_before,
            language=segment.language,
            channel=segment.channel,
            speaker=segment.speaker,
        )


class WarningShape(_Shape):
    code: str = Field(examples=["speech_without_text"])
    message: str
    start: float | None = Field(None, description="Seconds, null where it is about the whole.")
    end: float | None = None

    @classmethod
    def of(cls, caution: Caution) -> "WarningShape":
        return cls(
            code=caution.code, message=caution.message, start=caution.start_s, end=caution.end_s
        )


class SpeakerShape(_Shape):
    id: str = Field(description="As in `segments[].speaker`.")
    name: str | None = Field(description="A known name, else null.")
    seconds: float = Field(description="How long they speak.")
    channel: int | None = None
    voice: str | None = Field(
        None,
        description="How they sound, to send back in `knownSpeakers`; null where they speak too"
        " little.",
    )

    @classmethod
    def of(cls, speaker: Speaker) -> "SpeakerShape":
        return cls(
            id=speaker.id,
            name=speaker.name,
            seconds=speaker.seconds,
            channel=speaker.channel,
            voice=speaker.voice.dump() if speaker.voice else None,
        )


class SentimentShape(_Shape):
    label: SentimentLabel
    score: float = Field(description="Confidence of the label, 0 to 1.")


class PointShape(_Shape):
    text: str
    evidence: list[int] = Field(description="Ids of the segments that bear this out.")

    @classmethod
    def of(cls, point: Point) -> "PointShape":
        return cls(text=point.text, evidence=list(point.evidence))


class ActionItemShape(PointShape):
    owner: str | None
    due: str | None = Field(description="The due time as it was said.")
    due_date: str | None = Field(
        None,
        json_schema_extra={"format": "date"},
        description="The day that `due` means, counted from `recordedAt`; null where that is not"
        " known or not sure.",
    )

    @classmethod
    def of(cls, point: Point | ActionItem) -> "ActionItemShape":
        item = point if isinstance(point, ActionItem) else ActionItem(point.text, None, None, ())
        return cls(
            text=point.text,
            evidence=list(point.evidence),
            owner=item.owner,
            due=item.due,
            due_date=item.due_date.isoformat() if item.due_date else None,
        )


class SentimentAtShape(SentimentShape):
    segment: int


class SectionShape(_Shape):
    key: str
    title: str
    items: list[PointShape]

    @classmethod
    def of(cls, section: Section) -> "SectionShape":
        return cls(
            key=section.key,
            title=section.title,
            items=[PointShape.of(item) for item in section.items],
        )


class TokensShape(_Shape):
    sent: int = Field(0, description="0 where the model's server does not say.")
    written: int = 0

    @classmethod
    def of(cls, tokens: Tokens) -> "TokensShape":
        return cls(sent=tokens.sent, written=tokens.written)


class MetaShape(_Shape):
    provider: str
    model: str | None
    coverage: float = Field(description="Share of the transcript that was analysed, 0 to 1.")
    degraded: bool
    degraded_reason: str | None
    template: str | None = Field(None, description="Name of the template that was asked for.")
    tokens: TokensShape = TokensShape()
    seconds: float = Field(0.0, description="How long it took to make them.")

    @classmethod
    def of(cls, meta: InsightsMeta) -> "MetaShape":
        return cls(
            provider=meta.provider,
            model=meta.model,
            coverage=meta.coverage,
            degraded=meta.degraded,
            degraded_reason=meta.degraded_reason,
            template=meta.template,
            tokens=TokensShape.of(meta.tokens),
            seconds=round(meta.seconds, 3),
        )


class DetailsShape(_Shape):
    title: str
    key_points: list[PointShape]
    decisions: list[PointShape]
    questions: list[PointShape]
    action_items: list[ActionItemShape]
    sentiment_timeline: list[SentimentAtShape]
    meta: MetaShape
    sections: list[SectionShape] = Field([], description="Those of the template, in its order.")

    @classmethod
    def of(cls, details: Details) -> "DetailsShape":
        return cls(
            title=details.title,
            key_points=[PointShape.of(point) for point in details.key_points],
            decisions=[PointShape.of(point) for point in details.decisions],
            questions=[PointShape.of(point) for point in details.questions],
            action_items=[ActionItemShape.of(item) for item in details.action_items],
            sentiment_timeline=[
                SentimentAtShape(segment=at.segment_id, label=at.label, score=at.score)
                for at in details.sentiment_timeline
            ],
            meta=MetaShape.of(details.meta),
            sections=[SectionShape.of(section) for section in details.sections],
        )


class InsightsShape(_Shape):
    summary: str
    topics: list[str]
    action_items: list[str]
    sentiment: SentimentShape
    details: DetailsShape

    @classmethod
    def of(cls, insights: Insights) -> "InsightsShape":
        return cls(
            summary=insights.summary,
            topics=list(insights.topics),
            action_items=list(insights.action_items),
            sentiment=SentimentShape(
                label=insights.sentiment.label, score=insights.sentiment.score
            ),
            details=DetailsShape.of(insights.details),
        )


class TranscriptionShape(_Shape):
    """A finished transcription, however it was requested."""

    success: Literal[True] = True
    transcript: str
    insights: InsightsShape | None
    language: str = Field(description="The one that most is said in.")
    languages: list[str] = Field([], description="All that are spoken, the most spoken first.")
    duration: float = Field(description="Length of the audio in seconds.")
    segments: list[SegmentShape]
    speakers: list[SpeakerShape] = []
    warnings: list[WarningShape] = Field(
        [], description="What a reader should know, such as speech that no words were found for."
    )
    engine: str
    model: str
    cached: bool = False

    @classmethod
    def of(
        cls,
        transcript: Transcript,
        insights: Insights | None,
        *,
        cached: bool = False,
        with_words: bool = True,
    ) -> "TranscriptionShape":
        return cls(
            transcript=transcript.text,
            insights=InsightsShape.of(insights) if insights else None,
            language=transcript.language,
            languages=list(transcript.languages),
            duration=round(transcript.duration_s, 3),
            segments=[
                SegmentShape.of(segment, with_words=with_words) for segment in transcript.segments
            ],
            speakers=[SpeakerShape.of(speaker) for speaker in transcript.speakers],
            warnings=[WarningShape.of(caution) for caution in transcript.warnings],
            engine=transcript.engine,
            model=transcript.model,
            cached=cached,
        )
