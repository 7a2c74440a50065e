"""Answers of models: read, checked against the transcript, or refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echostream.domain import Insights, InsightsMeta
from echostream.insights.prompt import Line, halve, lines_of, split
from echostream.insights.wire import WireInsights, WireSummary, to_insights
from echostream.llm.answers import read_answer, schema_of
from echostream.llm.base import InsightsError
from echostream.llm.tokens import most_tokens
from insights.meeting import answer, transcript

META = InsightsMeta("fake", "fake", 1.0)
LINES = lines_of(
    transcript(
        "The budget is too high.",
        "Can you send the report, Sarah?",
        "Yes, by Friday.",
        "Good.",
        "Nothing else?",
        "No. Lunch on Monday.",
    )
)
IDS = {line.segment_id for line in LINES}


def checked(**changes: Any) -> Insights:
    return to_insights(read_answer(json.dumps(answer(**changes)), WireInsights), LINES, META)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        field: JUNK
        | st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "text": JUNK | st.text(),
                    "evidence": JUNK | st.lists(st.integers(-3, 9) | JUNK),
                    "owner": JUNK,
                    "due": JUNK,
                    "label": JUNK | st.sampled_from(["positive", "Neutral"]),
                    "score": JUNK | st.floats(),
                    "segment": JUNK | st.integers(-3, 9),
                },
            )
        )
        | st.lists(st.text())
        for field in answer()
    },
)


@settings(deadline=None)
@given(JUNK | NEARLY.map(lambda changes: answer(**changes)) | NEARLY)
def test_any_json_is_valid_insights_or_an_error(junk: object) -> None:
    try:
        insights = to_insights(read_answer(json.dumps(junk), WireInsights), LINES, META)
    except InsightsError:
        return
    details = insights.details
    for point in (*details.key_points, *details.decisions, *details.questions):
        assert point.text
        assert set(point.evidence) <= IDS
        assert point.evidence
    for item in details.action_items:
        assert set(item.evidence) <= IDS
        assert item.evidence
    assert insights.action_items == tuple(item.text for item in details.action_items)
    assert {at.segment_id for at in details.sentiment_timeline} == IDS
    for mood in (insights.sentiment, *details.sentiment_timeline):
        assert mood.label in {"positive", "neutral", "negative"}
        assert 0.0 <= mood.score <= 1.0
    assert len(insights.topics) <= 12
    assert all(insights.topics)
    assert insights.summary


@settings(deadline=None)
@given(st.text())
def test_text_that_is_no_answer_is_an_error(text: str) -> None:
    with pytest.raises(InsightsError):
        read_answer(text, WireInsights)


@pytest.mark.parametrize("field", ["summary", "topics", "action_items", "sentiment"])
def test_the_flat_fields_are_needed(field: str) -> None:
    partial = answer()
    del partial[field]
    with pytest.raises(InsightsError, match=f"{field}: missing"):
        read_answer(json.dumps(partial), WireInsights)


def test_everything_else_may_be_missing() -> None:
    insights = checked(title="", key_points=[], decisions=[], sentiment_timeline=[])
    assert insights.details.title == "budget, release"


@pytest.mark.parametrize(
    ("score", "clamped"), [(1.7, 1.0), (-1, 0.0), ("0.25", 0.25), (85, 1.0), ("1e999", 1.0)]
)
def test_scores_are_clamped(score: object, clamped: float) -> None:
    assert checked(sentiment={"label": "Positive ", "score": score}).sentiment.score == clamped


@pytest.mark.parametrize("score", [None, "high", "nan", True, [0.5]])
def test_scores_that_are_no_numbers_are_refused(score: object) -> None:
    with pytest.raises(InsightsError, match=r"sentiment\.score"):
        checked(sentiment={"label": "neutral", "score": score})


@pytest.mark.parametrize(
    ("claimed", "kept"),
    [
        ([0], (0,)),
        ([2, 0, 2, 99, -1], (0, 2)),
        (["1", "[2]", "x", 1.5, True, None], (1, 2)),
        (0, (0,)),
    ],
)
def test_evidence_is_what_exists(claimed: object, kept: tuple[int, ...]) -> None:
    details = checked(key_points=[{"text": "It costs.", "evidence": claimed}]).details
    (point,) = details.key_points
    assert point.evidence == kept


def test_statements_that_lost_all_evidence_are_dropped() -> None:
    invented = [{"text": "The budget is too high.", "evidence": [99]}]
    details = checked(key_points=invented, decisions=invented, questions=invented).details
    assert details.key_points == details.decisions == details.questions == ()
    assert checked(action_items=invented).action_items == ()


def test_statements_without_evidence_are_looked_for() -> None:
    details = checked(
        key_points=[
            {"text": "The budget is far too high.", "evidence": []},
            {"text": "Aliens have landed.", "evidence": []},
            {"text": "It is.", "evidence": []},
        ]
    ).details
    assert [(point.text, point.evidence) for point in details.key_points] == [
        ("The budget is far too high.", (0,))
    ]


@pytest.mark.parametrize(
    ("owner", "kept"),
    [
        ("Sarah", "Sarah"),
        ("SARAH", "SARAH"),
        ("Sara", None),
        ("David", None),
        ("I", None),
        ("unknown", None),
        ("", None),
        (None, None),
    ],
)
def test_owners_nobody_named_are_null(owner: str | None, kept: str | None) -> None:
    item = {"text": "Send it.", "owner": owner, "due": None, "evidence": [1]}
    assert checked(action_items=[item]).details.action_items[0].owner == kept


@pytest.mark.parametrize(
    ("due", "kept"),
    [
        ("Friday", "Friday"),
        ("by friday", "by friday"),
        ("before Friday", "before Friday"),
        ("Monday", None),  # said, but too far from the evidence
        ("2026-11-20", None),
        ("next week", None),
        ("", None),
    ],
)
def test_due_times_nobody_said_nearby_are_null(due: str, kept: str | None) -> None:
    item = {"text": "Send it.", "owner": None, "due": due, "evidence": [1]}
    assert checked(action_items=[item]).details.action_items[0].due == kept


def test_owner_in_a_script_without_spaces() -> None:
    item = {"text": "報告書を送る", "owner": "田中", "due": "金曜日", "evidence": [0]}
    lines = [Line(0, "田中さんは金曜日までに報告書を送ります。")]
    read = read_answer(json.dumps(answer(action_items=[item])), WireInsights)
    (kept,) = to_insights(read, lines, META).details.action_items
    assert (kept.owner, kept.due) == ("田中", "金曜日")


def test_topics_are_tidied() -> None:
    topics = ["Budget", " budget ", "", "two\nlines", *map(str, range(20))]
    assert checked(topics=topics).topics[:2] == ("Budget", "two lines")
    assert len(checked(topics=topics).topics) == 12


@pytest.mark.parametrize("shape", [WireInsights, WireSummary])
def test_schema_is_plain_and_complete(shape: type[WireSummary]) -> None:
    schema = schema_of(shape)
    assert set(schema["required"]) == set(shape.model_fields) == set(schema["properties"])
    assert schema["additionalProperties"] is False
    text = json.dumps(schema)
    assert not any(f'"{key}": ' in text for key in ("default", "minLength", "maxLength"))


def test_errors_do_not_quote_the_answer() -> None:
    with pytest.raises(InsightsError) as caught:
        checked(sentiment={"label": "a secret", "score": 1})
    assert "secret" not in str(caught.value)


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=200), max_size=20), st.integers(10, 60))
def test_splitting_loses_nothing(texts: list[str], budget: int) -> None:
    lines = lines_of(transcript(*texts))
    parts = split(lines, budget)
    for part in parts:
        small = all(len(line.text) < 2 for line in part)
        assert small or sum(most_tokens(line.text) + 6 for line in part) <= budget
    flat = [line for part in parts for line in part]
    assert [line.segment_id for line in flat] == sorted(line.segment_id for line in flat)
    joined = "".join(line.text for line in flat)
    assert joined.replace(" ", "") == "".join(line.text for line in lines).replace(" ", "")


@settings(deadline=None)
@given(st.text(min_size=2).filter(lambda text: len(text.strip()) == len(text)))
def test_halves_of_a_line_hold_all_of_it(text: str) -> None:
    first, second = halve([Line(7, text)])
    whole = "".join(line.text for line in (*first, *second))
    assert "".join(whole.split()) == "".join(text.split())
    assert {line.segment_id for line in (*first, *second)} == {7}
