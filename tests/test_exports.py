"""Each export format, on text made to break it."""

import io
import json
from dataclasses import replace
from datetime import date

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
from echostream.exports import FORMATS, TextOptions, export
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
            ActionItem("Call Sarah", "David", "Friday", (1,), date(2026, 11, 27)),
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
        "1\n00:00:00,000 --> 00:00:01,500\nHello <\u2060b>there<\u2060/b> & all\n\n"
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
    assert "- [ ] Call Sarah (David, Friday, 2026-11-27)\n- [ ] Rest\n" in text
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
    assert "\n## Risks # \\[red\\]\n\n- Rain.\n" in text
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


def spoken(*said: tuple[str | None, str], length_s: float = 2.0) -> Transcript:
    """Segments of equal length, each with its speaker."""
    segments = tuple(
        Segment(number, number * length_s, (number + 1) * length_s, text, speaker=speaker)
        for number, (speaker, text) in enumerate(said)
    )
    return replace(TRANSCRIPT, segments=segments, duration_s=len(said) * length_s)


TALK = spoken(("A", "Hello."), ("A", "Are you there?"), (None, "Hm."), ("Ann <3", "Yes."))


def test_documents_by_turns():
    assert export(TALK, None, "txt") == "A: Hello. Are you there?\nHm.\nAnn <3: Yes.\n"
    assert export(TALK, None, "md") == (
        "# Transcript\n\n**00:00:00** **A:** Hello. Are you there?\n\n"
        "**00:00:04** Hm.\n\n**00:00:06** **Ann \\<3:** Yes.\n"
    )


def test_subtitles_with_speakers():
    assert "A: Hello." in export(TALK, None, "srt")
    assert "Ann <3: Yes." in export(TALK, None, "srt")
    assert "\n<v A>Hello." in export(TALK, None, "vtt")
    assert "\n<v Ann &lt;3>Yes." in export(TALK, None, "vtt")


def test_a_long_turn_has_a_paragraph_a_minute():
    talk = spoken(*[("A", f"Word {number}.") for number in range(10)], length_s=20.0)
    assert [line.count("Word") for line in export(talk, None, "txt").splitlines()] == [3, 3, 3, 1]
    assert export(talk, None, "txt").count("A: ") == 4


@pytest.mark.parametrize("as_format", FORMATS)
def test_no_speech_is_a_valid_document(as_format):
    assert export(NOTHING, None, as_format).strip() in ("", "WEBVTT", "# Transcript") or (
        as_format == "json"
    )


SPOKEN = Transcript(
    (
        Segment(0, 0.0, 1.5, "We ship.", speaker="Ann"),
        Segment(1, 62.0, 63.0, "When?", speaker="Bo"),
    ),
    "en",
    64.0,
    "whisper",
    "base",
)


@pytest.mark.parametrize(
    ("as_format", "times", "speakers", "expected"),
    [
        ("txt", None, True, "Ann: We ship.\nBo: When?\n"),
        ("txt", True, True, "00:00:00 Ann: We ship.\n00:01:02 Bo: When?\n"),
        ("txt", False, False, "We ship.\nWhen?\n"),
        ("md", True, False, "# Transcript\n\n**00:00:00** We ship.\n\n**00:01:02** When?\n"),
        ("md", False, True, "# Transcript\n\n**Ann:** We ship.\n\n**Bo:** When?\n"),
    ],
)
def test_times_and_names_as_asked_for(as_format, times, speakers, expected):
    options = TextOptions(times, speakers)
    assert export(SPOKEN, None, as_format, text_options=options) == expected


@pytest.mark.parametrize("as_format", ["srt", "vtt"])
def test_subtitles_without_names(as_format):
    named = export(SPOKEN, None, as_format)
    bare = export(SPOKEN, None, as_format, text_options=TextOptions(False, False))
    assert "Ann" in named
    assert "Bo" in named
    assert bare == named.replace("<v Ann>", "").replace("<v Bo>", "").replace("Ann: ", "").replace(
        "Bo: ", ""
    )
    assert "-->" in bare
