"""The JSON that a language model answers with, and how it becomes `Insights`.

Harmless faults are tolerated (unknown fields, ids written as text, scores out of range). What is
needed is checked strictly: the four flat fields must be there and every element must have its type.
"""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, create_model

from echostream.domain import (
    ActionItem,
    Details,
    Insights,
    InsightsMeta,
    Point,
    Section,
    Sentiment,
    SentimentAt,
    SentimentLabel,
    Template,
)
from echostream.insights.evidence import Evidence
from echostream.insights.prompt import Line
from echostream.llm.base import Answer
from echostream.templates import GENERAL

MAX_TOPICS = 12
_PASSED_OVER = 0.5
"""Score of a segment that the model did not list: neutral by our instructions, but not stated."""


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _clamped(value: object) -> object:
    """A number moved into 0 to 1, also if written as text. Other text is left alone."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(min(max(value, 0), 1))


def _ids(value: object) -> object:
    """The whole numbers of a list, also as text such as `12` or `[12]`. The rest is dropped."""
    if value is None:
        return []
    if isinstance(value, int | str):
        value = [value]
    if not isinstance(value, list):
        return value
    found = []
    for item in value:
        text = item.strip("[] ") if isinstance(item, str) else item
        if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10:
            found.append(int(text))
        elif isinstance(text, int) and not isinstance(text, bool):
            found.append(text)
    return found


def _plain(value: object) -> object:
    """White space collapsed, so that no answer puts line breaks into a one-line field."""
    return " ".join(value.split()) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_plain)]
Label = Annotated[SentimentLabel, BeforeValidator(_lower)]
Score = Annotated[float, BeforeValidator(_clamped)]
Ids = Annotated[list[int], BeforeValidator(_ids)]


class WirePoint(Answer):
    text: Text
    evidence: Ids = Field(default_factory=list)


class WireActionItem(WirePoint):
    owner: Text | None = None
    due: Text | None = None


class WireSentiment(Answer):
    label: Label
    score: Score


class WireSentimentAt(WireSentiment):
    segment: int


class WireSummary(Answer):
    """The answer when the summaries of parts are merged."""

    title: Text = Field(default_factory=str)
    summary: Annotated[Text, Field(min_length=1)]
    topics: list[Text]


class WireInsights(WireSummary):
    """The answer when a transcript, or a part of one, is read."""

    sentiment: WireSentiment
    action_items: list[WireActionItem]
    key_points: list[WirePoint] = Field(default_factory=list)
    decisions: list[WirePoint] = Field(default_factory=list)
    questions: list[WirePoint] = Field(default_factory=list)
    sentiment_timeline: list[WireSentimentAt] = Field(default_factory=list)

    def section(self, _key: str) -> list[WirePoint]:
        """The statements of a section of the template."""
        return []


class WireSections(Answer):
    """The template's sections; `shape_for` adds the fields."""


class WireTemplated(WireInsights):
    """The answer when a template has sections."""

    sections: WireSections

    def section(self, key: str) -> list[WirePoint]:
        found: list[WirePoint] = getattr(self.sections, _FIELD + key)
        return found


_FIELD = "section_"
"""Before each section's key, because a field must not be called `copy` or `json`."""


@lru_cache(maxsize=64)
def shape_for(template: Template) -> type[WireInsights]:
    """The shape of an answer to a prompt with this template."""
    if not template.sections:
        return WireInsights
    fields: Any = {
        _FIELD + each.key: (list[WirePoint], Field(alias=each.key, default_factory=list))
        for each in template.sections
    }
    sections = create_model("WireSections", __base__=WireSections, **fields)
    empty = Field(default_factory=sections)
    return create_model("WireTemplated", __base__=WireTemplated, sections=(sections, empty))


def to_insights(
    answer: WireInsights, lines: Sequence[Line], meta: InsightsMeta, template: Template = GENERAL
) -> Insights:
    """`answer` checked against the `lines` it is about.

    Evidence that is not among them is dropped, and so is every statement that has none left. A
    statement without evidence is looked for in the lines and kept if it is found. Owners and due
    times that nobody said become None.
    """
    evidence = Evidence(lines)
    topics = tidy_topics(answer.topics)
    details = Details(
        title=answer.title or ", ".join(topics[:3]),
        key_points=_points(answer.key_points, evidence),
        decisions=_points(answer.decisions, evidence),
        questions=_points(answer.questions, evidence),
        action_items=_action_items(answer.action_items, evidence),
        sentiment_timeline=_timeline(answer.sentiment_timeline, lines),
        meta=meta,
        sections=tuple(
            Section(each.key, each.title, _points(answer.section(each.key), evidence))
            for each in template.sections
        ),
    )
    mood = Sentiment(answer.sentiment.label, answer.sentiment.score)
    return Insights(answer.summary, topics, mood, details)


def tidy_topics(topics: Iterable[str]) -> tuple[str, ...]:
    """At most 12 topics in their order, without empty ones and repetitions (ignoring case)."""
    seen: dict[str, str] = {}
    for topic in topics:
        if topic:
            seen.setdefault(topic.casefold(), topic)
    return tuple(seen.values())[:MAX_TOPICS]


def _points(points: Iterable[WirePoint], evidence: Evidence) -> tuple[Point, ...]:
    return tuple(
        Point(point.text, ids)
        for point in points
        if point.text and (ids := evidence.behind(point.text, point.evidence))
    )


def _action_items(items: Iterable[WireActionItem], evidence: Evidence) -> tuple[ActionItem, ...]:
    return tuple(
        ActionItem(
            text=item.text,
            owner=item.owner if evidence.names(item.owner) else None,
            due=item.due if evidence.says_near(item.due, ids) else None,
            evidence=ids,
        )
        for item in items
        if item.text and (ids := evidence.behind(item.text, item.evidence))
    )


def _timeline(listed: Iterable[WireSentimentAt], lines: Iterable[Line]) -> tuple[SentimentAt, ...]:
    """One entry for each segment of `lines`, in their order."""
    moods = {mood.segment: mood for mood in listed}
    timeline = {}
    for segment_id in (line.segment_id for line in lines):
        mood = moods.get(segment_id)
        label, score = (mood.label, mood.score) if mood else ("neutral", _PASSED_OVER)
        timeline[segment_id] = SentimentAt(segment_id, label, score)
    return tuple(timeline.values())
