"""A recording as a document: edits, speakers and action items are in it."""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import docx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from echostream.domain import Voice
from echostream.exports.escaping import one_line
from echostream_ui import documents
from echostream_ui.library.analysis import ActionItem, Analysis, Bookmark
from echostream_ui.library.media import Media

MEDIA = Media(
    id="7",
    title="Launch: <first> week",
    created_at=datetime(2026, 3, 3, 14, 5, tzinfo=UTC),
    source="file",
    source_name="talk.wav",
    duration_s=61.2,
    language="en",
    tags=("work",),
)
WORD = {
    "word": "ship",
    "start": 0.0,
    "end": 0.5,
    "probability": 0.9,
    "spaceBefore": True,
    "speaker": None,
}
RESPONSE: dict[str, Any] = {
    "language": "en",
    "duration": 61.2,
    "engine": "whisper",
    "model": "base",
    "segments": [
        {"id": 0, "start": 0.0, "end": 2.5, "text": " we will sip it", "words": [WORD]},
        {"id": 1, "start": 2.5, "end": 4.0, "text": "uh", "words": [WORD]},
        {"id": 2, "start": 4.0, "end": 9.0, "text": "on Friday", "words": [WORD]},
    ],
}
INSIGHTS: dict[str, Any] = {
    "summary": "They ship.",
    "topics": ["launch"],
    "action_items": ["Ship it"],
    "sentiment": {"label": "positive", "score": 0.8},
    "details": {
        "title": "Shipping",
        "key_points": [{"text": "A point", "evidence": [0]}],
        "decisions": [],
        "questions": [{"text": "When?", "evidence": [2]}],
        "action_items": [{"text": "Ship it", "owner": None, "due": None, "evidence": [0]}],
        "sentiment_timeline": [{"segment": 0, "label": "positive", "score": 0.8}],
        "meta": {
            "provider": "extractive",
            "model": None,
            "coverage": 1.0,
            "degraded": False,
            "degraded_reason": None,
        },
    },
}
ANALYSIS = Analysis(
    media_id="7",
    request={},
    response=RESPONSE,
    insights=INSIGHTS,
    edits={0: "we will ship it", 1: ""},
    action_items=(
        ActionItem("Ship it", "Ann", "Friday", True, (0,), due_date="2026-11-27"),
        ActionItem("Rest"),
    ),
)


def text(as_format: documents.Format, analysis: Analysis = ANALYSIS) -> str:
    return documents.export(MEDIA, analysis, as_format).decode()


def test_text_and_subtitles_have_the_edits_and_no_empty_segments() -> None:
    assert text("txt") == "we will ship it\non Friday\n"
    assert text("srt") == (
        "1\n00:00:00,000 --> 00:00:02,500\nwe will ship it\n\n"
        "2\n00:00:04,000 --> 00:00:09,000\non Friday\n"
    )
    assert text("vtt").startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nwe will ship it\n")


def test_json_is_the_shape_of_the_api_with_what_is_done() -> None:
    found = json.loads(text("json"))
    assert found["transcript"] == "we will ship it on Friday"
    assert [segment["words"] for segment in found["segments"]] == [[], [WORD]]
    assert found["insights"]["details"]["title"] == MEDIA.title
    due, no_due = {"due": "Friday", "due_date": "2026-11-27"}, {"due": None, "due_date": None}
    assert found["insights"]["details"]["action_items"] == [
        {"text": "Ship it", "owner": "Ann", **due, "evidence": [0], "done": True},
        {"text": "Rest", "owner": None, **no_due, "evidence": [], "done": False},
    ]


def test_markdown_ticks_off_what_is_done() -> None:
    found = text("md")
    assert found.startswith("# Launch: \\<first\\> week\n")
    assert "- [x] Ship it (Ann, Friday, 2026-11-27)\n- [ ] Rest\n" in found


def test_speakers_stand_before_what_they_say() -> None:
    segments = [segment | {"speaker": "S1"} for segment in RESPONSE["segments"]]
    analysis = replace(ANALYSIS, response=RESPONSE | {"segments": segments}, speakers={"S1": "Ann"})
    assert text("txt", analysis) == "Ann: we will ship it on Friday\n"
    assert "Ann: we will ship" in text("srt", analysis)
    document = docx.Document(io.BytesIO(documents.export(MEDIA, analysis, "docx")))
    assert document.paragraphs[-1].text == "0:00  Ann: we will ship it on Friday"


def test_speakers_as_data_have_the_users_names() -> None:
    told = {"id": "A", "name": None, "seconds": 3.0, "voice": Voice("fake", (1.0,)).dump()}
    segments = [segment | {"speaker": "A"} for segment in RESPONSE["segments"]]
    response = RESPONSE | {"segments": segments, "speakers": [told]}
    found = json.loads(text("json", replace(ANALYSIS, response=response, speakers={"A": "Ann"})))
    assert found["speakers"] == [told | {"id": "Ann", "name": "Ann", "channel": None}]
    assert {segment["speaker"] for segment in found["segments"]} == {"Ann"}


def test_speakers_who_are_one_and_lines_of_others() -> None:
    segments = [
        segment | {"speaker": speaker}
        for segment, speaker in zip(RESPONSE["segments"], "ABC", strict=True)
    ]
    voices = {name: Voice("fake", (float(at), 1.0 - at)).dump() for at, name in enumerate("AB")}
    told = [
        {"id": "A", "name": None, "seconds": 2.5, "voice": voices["A"]},
        {"id": "B", "name": None, "seconds": 6.5, "voice": voices["B"]},
        {"id": "C", "name": "Carl", "seconds": 5.0, "voice": None},
    ]
    response = RESPONSE | {"segments": segments, "speakers": told}
    names = {"A": "Ann", "B": "Ann"}
    analysis = replace(ANALYSIS, response=response, speakers=names, line_speakers={2: "Dan"})
    found = json.loads(text("json", analysis))
    assert [(each["id"], each["name"], each["seconds"]) for each in found["speakers"]] == [
        ("Ann", "Ann", 9.0),
        ("Dan", "Dan", 5.0),
    ]
    assert found["speakers"][0]["voice"] == voices["B"]
    assert text("txt", analysis) == "Ann: we will ship it\nDan: on Friday\n"


def test_insights_have_the_users_names_and_the_templates_sections() -> None:
    point = {"text": "Speaker S ships.", "evidence": [0]}
    section = {"key": "risks", "title": "Risks", "items": [point]}
    details = INSIGHTS["details"] | {"key_points": [], "sections": [section]}
    insights = INSIGHTS | {"summary": "Speaker S and a plan.", "details": details}
    segments = [segment | {"speaker": "S"} for segment in RESPONSE["segments"]]
    analysis = replace(
        ANALYSIS,
        response=RESPONSE | {"segments": segments},
        insights=insights,
        speakers={"S": "Ann"},
        action_items=(ActionItem("Ask Speaker S", "Ann"),),
    )
    found = text("md", analysis)
    assert "Ann and a plan." in found
    assert "- [ ] Ask Ann (Ann)\n" in found
    assert "## Risks\n\n- Ann ships.\n" in found
    document = docx.Document(io.BytesIO(documents.export(MEDIA, analysis, "docx")))
    paragraphs = [paragraph.text for paragraph in document.paragraphs]
    assert "☐ Ask Ann (Ann)" in paragraphs
    assert paragraphs[paragraphs.index("Risks") + 1] == "Ann ships."


def test_word_opens_the_document() -> None:
    document = docx.Document(
        io.BytesIO(documents.export(MEDIA, ANALYSIS, "docx", documents.Options("Europe/Berlin")))
    )
    paragraphs = [paragraph.text for paragraph in document.paragraphs]
    assert paragraphs[:3] == [
        MEDIA.title,
        "3 March 2026, 15:05 · 1 min 1 s · English",
        "Tags: work",
    ]
    assert "☑ Ship it (Ann, Friday, 2026-11-27)" in paragraphs
    assert paragraphs[-3:] == ["Transcript", "0:00  we will ship it", "0:04  on Friday"]


def test_bookmarks_are_in_all_documents_that_have_room_for_them() -> None:
    marked = replace(ANALYSIS, bookmarks=(Bookmark(3.5), Bookmark(61.0, "Ask *Ann*")))
    assert json.loads(text("json", marked))["bookmarks"] == [
        {"at": 3.5, "note": ""},
        {"at": 61.0, "note": "Ask *Ann*"},
    ]
    assert "\n## Bookmarks\n\n- **0:03**\n- **1:01** Ask \\*Ann\\*\n" in text("md", marked)
    document = docx.Document(io.BytesIO(documents.export(MEDIA, marked, "docx")))
    paragraphs = [paragraph.text for paragraph in document.paragraphs]
    start = paragraphs.index("Bookmarks")
    assert paragraphs[start : start + 4] == ["Bookmarks", "0:03", "1:01  Ask *Ann*", "Transcript"]
    assert "Bookmarks" not in text("md")
    assert text("txt", marked) == text("txt")


@pytest.mark.parametrize("as_format", documents.FORMATS)
def test_a_recording_without_speech_or_insights(as_format: documents.Format) -> None:
    silent = replace(ANALYSIS, response=RESPONSE | {"segments": []}, insights=None, action_items=())
    assert documents.export(MEDIA, silent, as_format) or as_format in ("txt", "srt")


def test_control_characters_do_not_break_word() -> None:
    analysis = replace(ANALYSIS, edits={0: "a\x00b\x0b\ufffe"})
    document = docx.Document(io.BytesIO(documents.export(MEDIA, analysis, "docx")))
    assert "0:00  ab " in [paragraph.text for paragraph in document.paragraphs]


@settings(max_examples=10)
@given(st.text(st.characters() | st.sampled_from("<>&\0\x0b\x0c\ud800\ufffe"), min_size=1))
@example("a" * 300)
@example("]]>&amp;<w:fldSimple w:instr='DDEAUTO cmd'/>")
def test_word_shows_any_text(text: str) -> None:
    """As text: nothing that Word would compute, fetch or follow."""
    media = replace(MEDIA, title=text, tags=(text,))
    segments = [RESPONSE["segments"][0] | {"speaker": "S1"}]
    insights = INSIGHTS | {"summary": text, "topics": [text]}
    response = RESPONSE | {"segments": segments, "language": text}
    analysis = replace(ANALYSIS, response=response, insights=insights, edits={0: f"so {text}"})
    written = documents.export(media, replace(analysis, speakers={"S1": text}), "docx")
    document = docx.Document(io.BytesIO(written))
    xml = document.element.xml
    assert not re.search(r"<w:(fld|instr|hyperlink|altChunk|object)", xml)
    assert one_line(document.paragraphs[0].text) == one_line(text)
    assert one_line(document.paragraphs[-1].text).endswith(one_line(f"{text}: so {text}"))


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Launch: <first> week", "Launch first week.srt"),
        ("../../etc/passwd", "etc passwd.srt"),
        ("встреча №7 🎉", "встреча №7 🎉.srt"),
        ("x" * 300, "x" * 80 + ".srt"),
        ("...", "recording.srt"),
    ],
)
def test_file_names_are_safe(title: str, name: str) -> None:
    assert documents.file_name(replace(MEDIA, title=title), "srt") == name
