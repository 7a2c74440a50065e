"""Converts what the library holds of a recording to the domain types that exports need."""

from collections.abc import Iterable
from datetime import date

from echostream.domain import (
    ActionItem,
    Caution,
    Details,
    Insights,
    InsightsMeta,
    Point,
    Section,
    Segment,
    Sentiment,
    SentimentAt,
    Speaker,
    Tokens,
    Transcript,
    Voice,
    Word,
)
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.names import renamed, since_insights
from echostream_ui.library.speakers import TalkTime, talk_times
from echostream_ui.library.transcript import Line, lines_of
from echostream_ui.library.values import Json
from echostream_ui.library.written_insights import shown_insights


def transcript_of(analysis: Analysis) -> Transcript:
    """The transcript with the user's edits and names, and without empty segments."""
    response = analysis.response or {}
    told = {segment["id"]: segment for segment in response.get("segments", [])}
    return Transcript(
        segments=tuple(_segment(line, told[line.id]) for line in lines_of(analysis) if line.text),
        language=response.get("language", ""),
        duration_s=response.get("duration", 0.0),
        engine=response.get("engine", ""),
        model=response.get("model", ""),
        languages=tuple(response.get("languages", ())),
        warnings=tuple(
            Caution(each["code"], each["message"], each.get("start"), each.get("end"))
            for each in response.get("warnings") or ()
        ),
        speakers=_speakers(analysis),
    )


def insights_of(analysis: Analysis, title: str) -> Insights | None:
    """The insights that are shown, with the user's own texts, action items and names."""
    insights = shown_insights(analysis)
    if insights is None:
        return None
    changed = since_insights(analysis)
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
                ActionItem(
                    renamed(item.text, changed),
                    item.owner,
                    item.due,
                    item.evidence,
                    date.fromisoformat(item.due_date) if item.due_date else None,
                )
                for item in analysis.action_items
            ),
            sentiment_timeline=tuple(
                SentimentAt(at["segment"], at["label"], at["score"])
                for at in details.get("sentiment_timeline", ())
            ),
            meta=_meta(details.get("meta") or {}),
            sections=tuple(
                Section(each["key"], each["title"], _points(each["items"]))
                for each in details.get("sections", ())
            ),
        ),
    )


def _segment(line: Line, told: Json) -> Segment:
    """`told` is the segment in the API's answer. Older answers have fewer fields."""
    # The words and their times belong to the text before the edit.
    kept = () if line.is_edited else told.get("words", ())
    return Segment(
        id=line.id,
        start_s=line.start_s,
        end_s=line.end_s,
        text=line.text,
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
        space_before=told.get("spaceBefore", True),
        language=told.get("language"),
        channel=told.get("channel"),
        speaker=line.speaker,
    )


def _speakers(analysis: Analysis) -> tuple[Speaker, ...]:
    """Those of the segments, which have names of the user's instead of ids. Of several with the
    same name, the one who speaks longest gives the voice."""
    told = {each["id"]: each for each in (analysis.response or {}).get("speakers") or ()}

    def speaker(found: TalkTime) -> Speaker:
        first = told.get(found.ids[0], {})
        is_named = found.name not in told or found.ids[0] in analysis.speakers
        return Speaker(
            found.name,
            found.seconds,
            found.name if is_named else first.get("name"),
            first.get("channel"),
            Voice.load(first["voice"]) if first.get("voice") else None,
        )

    return tuple(speaker(each) for each in talk_times(analysis))


def _points(found: Iterable[Json]) -> tuple[Point, ...]:
    return tuple(Point(point["text"], tuple(point.get("evidence", ()))) for point in found)


def _sentiment(found: Json) -> Sentiment:
    return Sentiment(found.get("label", "neutral"), found.get("score", 0.0))


def _meta(found: Json) -> InsightsMeta:
    tokens = found.get("tokens") or {}
    return InsightsMeta(
        provider=found.get("provider", ""),
        model=found.get("model"),
        coverage=found.get("coverage", 1.0),
        degraded=found.get("degraded", False),
        degraded_reason=found.get("degraded_reason"),
        template=found.get("template"),
        tokens=Tokens(tokens.get("sent", 0), tokens.get("written", 0)),
        seconds=found.get("seconds", 0.0),
    )
