"""Each export format, on text made to break it."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from echostream.domain import (
    ActionItem,
    Details,
    Insights,
    InsightsMeta,
    Point,
    Section,
    Segment,
    Sentiment,
    Transcript,
)
from echostream.exports import FORMATS, export
from echostream.insights.base import replace_details
from echostream.schema import InsightsShape
from echostream.show import show_insights

TRANSCRIPT = Transcript(
    segments=(
        Segment(0, 0.0, 1.5, " Hello <b>there</b> & all "),
        Segment(1, 3599.9996, 3603.25, "one --> two\n\nthree"),
    ),
    language="en",
    duration_s=3662.0,
    engine="whisper",
    model="base",
)
INSIGHTS = Insights(
    summary="A talk.",
    topics=("talk", "plans"),
    sentiment=Sentiment("positive", 0.75),
    details=Details(
        title="Talk",
        key_points=(Point("It went well.", (0,)),),
        decisions=(),
        questions=(Point("Why?", (1,)),),
        action_items=(
            ActionItem("Call Sarah", "David", "Friday", (1,)),
            ActionItem("Rest", None, None, (1,)),
        ),
        sentiment_timeline=(),
        meta=InsightsMeta("extractive", None, 1.0),
    ),
)
NOTHING = Transcript((), "und", 0.0, "whisper", "base")


def test_txt():
    text = export(TRANSCRIPT, None, "txt")
    assert text == "Hello <b>there</b> & all\none --> two three\n"


def test_srt():
    assert export(TRANSCRIPT, None, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello <b>there</b> & all\n\n"
        "2\n01:00:00,000 --> 01:00:03,250\none -> two three\n"
    )


def test_vtt():
    assert export(TRANSCRIPT, None, "vtt") == (
        "WEBVTT\n"
        "\n00:00:00.000 --> 00:00:01.500\nHello &lt;b>there&lt;/b> &amp; all\n"
        "\n01:00:00.000 --> 01:00:03.250\none -> two three\n"
    )


def test_json_is_the_shape_of_the_api():
    answer = json.loads(export(TRANSCRIPT, INSIGHTS, "json"))
    assert answer["insights"]["action_items"] == ["Call Sarah", "Rest"]
    assert answer["insights"]["details"]["action_items"][0]["owner"] == "David"
    assert answer["segments"][0]["start"] == 0.0


def test_markdown_has_insights_before_the_transcript():
    text = export(TRANSCRIPT, INSIGHTS, "md")
    assert text.startswith("# Talk\n")
    assert "- [ ] Call Sarah (David, Friday)\n- [ ] Rest\n" in text
    assert "## Decisions" not in text
    assert text.index("## Summary") < text.index("## Transcript") < text.index("**00:00:00**")


BY_TEMPLATE = replace_details(
    INSIGHTS,
    replace(
        INSIGHTS.details,
        sections=(
            Section("risks", "Risks\n# [red]", (Point("Rain.", (0,)),)),
            Section("wins", "Wins", ()),
        ),
    ),
)


def test_markdown_has_the_sections_of_a_template():
    text = export(TRANSCRIPT, BY_TEMPLATE, "md")
    assert "\n## Risks # [red]\n\n- Rain.\n" in text
    assert "Wins" not in text


def test_a_terminal_shows_the_sections_of_a_template():
    console = Console(width=80, record=True, file=io.StringIO())
    show_insights(InsightsShape.of(BY_TEMPLATE), console)
    text = console.export_text()
    assert "[red]" in text
    assert "• Rain." in text
    assert "Wins" not in text


def test_markdown_without_insights():
    assert export(TRANSCRIPT, None, "md").startswith("# Transcript\n")


@pytest.mark.parametrize("as_format", FORMATS)
def test_no_speech_is_a_valid_document(as_format):
    assert export(NOTHING, None, as_format).strip() in ("", "WEBVTT", "# Transcript") or (
        as_format == "json"
    )
