"""The JSON a language model answers with, and the way from there to `Insights`.

Lenient about what does no harm (further fields, ids written as text, scores out of range), strict
about what is needed: the four flat fields must be there and every element must have its type.
"""

import json
import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from echostream.domain import (
    ActionItem,
    Details,
    Insights,
    InsightsMeta,
    Point,
    Sentiment,
    SentimentAt,
    SentimentLabel,
)
from echostream.errors import InsightsError
from echostream.insights.evidence import Evidence
from echostream.insights.prompt import Line

MAX_TOPICS = 12
_PASSED_OVER = 0.5
"""Score of a segment that a model did not list: neutral, as asked for, but not said outright."""


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _clamped(value: object) -> object:
    """A number moved into 0 to 1. Text that is a number counts as one; the rest is left alone."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(min(max(value, 0), 1))


def _ids(value: object) -> object:
    """The whole numbers of a list, also as text such as `12` or `[12]`; junk is left out."""
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
    """White space collapsed: no answer can bring line breaks into a one-line field."""
    return " ".join(value.split()) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_plain)]
Label = Annotated[SentimentLabel, BeforeValidator(_lower)]
Score = Annotated[float, BeforeValidator(_clamped)]
Ids = Annotated[list[int], BeforeValidator(_ids)]


class Wire(BaseModel):
    """Unknown fields are ignored when reading and ruled out in the schema that is sent."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"additionalProperties": False},
        json_schema_serialization_defaults_required=True,
    )


class WirePoint(Wire):
    text: Text
    evidence: Ids = Field(default_factory=list)


class WireActionItem(WirePoint):
    owner: Text | None = None
    due: Text | None = None


class WireSentiment(Wire):
    label: Label
    score: Score


class WireSentimentAt(WireSentiment):
    segment: int


class WireSummary(Wire):
    """What merging parts asks for."""

    title: Text = Field(default_factory=str)
    summary: Annotated[Text, Field(min_length=1)]
    topics: list[Text]


class WireInsights(WireSummary):
    """What reading a transcript, or a part of one, asks for."""

    sentiment: WireSentiment
    action_items: list[WireActionItem]
    key_points: list[WirePoint] = Field(default_factory=list)
    decisions: list[WirePoint] = Field(default_factory=list)
    questions: list[WirePoint] = Field(default_factory=list)
    sentiment_timeline: list[WireSentimentAt] = Field(default_factory=list)


Shape = TypeVar("Shape", bound=Wire)


def schema_of(shape: type[Wire]) -> dict[str, Any]:
    """The JSON schema of `shape` with every field required, as strict decoders want it.

    Plain keywords only: lengths and defaults are refused by some servers and checked here anyway.
    """
    schema = shape.model_json_schema(mode="serialization")
    _drop(schema, {"title", "default", "description", "minLength"})
    return schema


def read_answer(text: str, shape: type[Shape]) -> Shape:
    """The answer in `text`, also out of a code fence or after a reasoning block.

    Raises InsightsError, with the places at fault but none of the answer's content.
    """
    body = text.rpartition("</think>")[2]
    start, end = body.find("{"), body.rfind("}")
    if start < 0 or end < start:
        raise InsightsError("the model's answer holds no JSON object")
    try:
        return shape.model_validate_json(body[start : end + 1])
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        raise InsightsError(f"the model's answer is not valid: {_listed(faults)}") from error


def to_insights(answer: WireInsights, lines: Sequence[Line], meta: InsightsMeta) -> Insights:
    """`answer` tied to the `lines` it was drawn from.

    Evidence outside of them is dropped, and with it every statement that has none left. A
    statement that came without evidence is looked for in the lines and kept where it is found.
    Owners and due times that nobody said become None.
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
    )
    mood = Sentiment(answer.sentiment.label, answer.sentiment.score)
    return Insights(answer.summary, topics, mood, details)


def tidy_topics(topics: Iterable[str]) -> tuple[str, ...]:
    """At most 12 topics in their order, none empty, none twice (letter case aside)."""
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


def _listed(faults: Sequence[Any]) -> str:
    places = [
        f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['type']}"
        for fault in faults[:5]
    ]
    return "; ".join(places)


def _drop(node: Any, keys: set[str]) -> None:
    """Removes `keys` of schema objects in place; property names of the same words stay."""
    if isinstance(node, list):
        for item in node:
            _drop(item, keys)
    elif isinstance(node, dict):
        for key in keys & node.keys():
            if not isinstance(node[key], dict):
                del node[key]
        for value in node.values():
            _drop(value, keys)


def schema_text(shape: type[Wire]) -> str:
    """The schema for servers that can only be told it."""
    return json.dumps(schema_of(shape), separators=(",", ":"))
