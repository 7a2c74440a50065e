"""What is kept of a recording, in the words of EchoStream's domain: as exports want it."""

from collections.abc import Iterable

from echostream.domain import (
    ActionItem,
    Details,
    Insights,
    InsightsMeta,
    Point,
    Segment,
    Sentiment,
    SentimentAt,
    Transcript,
    Word,
)
from frontend.store import Analysis, Json
from frontend.transcript import Line, lines_of


def transcript_of(analysis: Analysis) -> Transcript:
    """With the user's edits, without segments that have no text left, and with the speaker's name
    before a segment where there is one."""
    response = analysis.response or {}
    words = {segment["id"]: segment.get("words", []) for segment in response.get("segments", [])}
    return Transcript(
        segments=tuple(
            _segment(line, words[line.id])
            for line in lines_of(response, analysis.edits, analysis.speakers)
            if line.text
        ),
        language=response.get("language", ""),
        duration_s=response.get("duration", 0.0),
        engine=response.get("engine", ""),
        model=response.get("model", ""),
    )


def insights_of(analysis: Analysis, title: str) -> Insights | None:
    """The insights shown, with the action items as the user keeps them."""
    insights = analysis.insights
    if insights is None:
        return None
    details = insights.get("details") or {}
    return Insights(
        summary=insights.get("summary", ""),
        topics=tuple(insights.get("topics", ())),
        sentiment=_sentiment(insights.get("sentiment") or {}),
        details=Details(
            title=title,
            key_points=_points(details.get("key_points", ())),
            decisions=_points(details.get("decisions", ())),
            questions=_points(details.get("questions", ())),
            action_items=tuple(
                ActionItem(item.text, item.owner, item.due, item.evidence)
                for item in analysis.action_items
            ),
            sentiment_timeline=tuple(
                SentimentAt(at["segment"], at["label"], at["score"])
                for at in details.get("sentiment_timeline", ())
            ),
            meta=_meta(details.get("meta") or {}),
        ),
    )


def _segment(line: Line, words: list[Json]) -> Segment:
    text = f"{line.speaker}: {line.text}" if line.speaker else line.text
    kept = () if line.is_edited else words  # those of an edited text would be of another one
    return Segment(
        id=line.id,
        start_s=line.start_s,
        end_s=line.end_s,
        text=text,
        words=tuple(
            Word(
                word["start"],
                word["end"],
                word["word"],
                word.get("probability", 1.0),
                word.get("spaceBefore", True),
            )
            for word in kept
        ),
        space_before=line.space_before,
        speaker=line.speaker,
    )


def _points(found: Iterable[Json]) -> tuple[Point, ...]:
    return tuple(Point(point["text"], tuple(point.get("evidence", ()))) for point in found)


def _sentiment(found: Json) -> Sentiment:
    return Sentiment(found.get("label", "neutral"), found.get("score", 0.0))


def _meta(found: Json) -> InsightsMeta:
    return InsightsMeta(
        provider=found.get("provider", ""),
        model=found.get("model"),
        coverage=found.get("coverage", 1.0),
        degraded=found.get("degraded", False),
        degraded_reason=found.get("degraded_reason"),
    )
