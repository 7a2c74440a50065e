"""Speakers' names in insights that were made before the names were given."""

import pytest

from echostream_ui.library.action_items import merged_items
from echostream_ui.library.analysis import ActionItem, Analysis
from echostream_ui.library.names import changes, renamed, renamed_insights, since_insights
from echostream_ui.library.transcript import segments_of

RESPONSE = {
    "language": "de",
    "segments": [
        {"id": 4, "start": 0.0, "end": 1.0, "text": "I send it.", "speaker": "A"},
        {"id": 5, "start": 1.0, "end": 2.0, "text": " ", "speaker": "B"},
        {"id": 6, "start": 2.0, "end": 3.0, "text": "Fine.", "speaker": "B", "language": "en"},
    ],
}


@pytest.mark.parametrize(
    ("text", "changed", "expected"),
    [
        ("Speaker A has a plan B. A plan!", {"A": "Ann", "B": "Bo"}, "Ann has a plan B. A plan!"),
        ("speaker AB and Speaker A", {"A": "Ann", "AB": "Cy"}, "Cy and Ann"),
        ("Ann asks Bo.", {"Ann": "Bo", "Bo": "Ann"}, "Bo asks Ann."),
        ("Ann's and Anna's (Ann)", {"Ann": "Eve"}, "Eve's and Anna's (Eve)"),
        ("Ann Lee and Ann", {"Ann": "Eve", "Ann Lee": "Joe"}, "Joe and Eve"),
        ("Ann and Speaker 1", {"Ann": "A", "Speaker 1": "Bo"}, "Speaker A and Bo"),
        (r"C\1 (x", {r"C\1": r"\g<0>"}, r"\g<0> (x"),
        ("Speaker A", {}, "Speaker A"),
    ],
)
def test_a_text_with_new_names(text: str, changed: dict[str, str], expected: str) -> None:
    assert renamed(text, changed) == expected


def test_names_that_changed() -> None:
    assert changes("AB", {}, {"A": "Ann"}) == {"A": "Ann"}
    assert changes("AB", {"A": "Ann"}, {}) == {"Ann": "A"}
    assert changes("AB", {"A": "Ann", "B": "Ann"}, {"A": "Ann", "B": "Bo"}) == {}


def test_insights_remember_the_names_they_were_made_with() -> None:
    point = {"text": "Speaker A sends it.", "evidence": [4]}
    insights = {
        "summary": "Speaker A and Bo.",
        "speakers": {"B": "Bo"},
        "details": {
            "key_points": [point],
            "sections": [{"key": "k", "title": "K", "items": [point]}],
        },
    }
    analysis = Analysis("1", {}, RESPONSE, insights, speakers={"A": "Ann", "B": "Bob"})
    found = renamed_insights(insights, since_insights(analysis))
    assert found["summary"] == "Ann and Bob."
    assert found["details"]["key_points"] == [{"text": "Ann sends it.", "evidence": [4]}]
    assert found["details"]["sections"][0]["items"][0]["text"] == "Ann sends it."
    assert insights["summary"] == "Speaker A and Bo."


def test_segments_to_send_have_edits_names_and_languages() -> None:
    analysis = Analysis("1", {}, RESPONSE, edits={4: "I sent it."}, speakers={"A": "Ann"})
    assert [
        (each["id"], each["text"], each["speaker"], each["language"])
        for each in segments_of(analysis)
    ] == [
        (4, "I sent it.", "Ann", "de"),
        (6, "Fine.", "B", "en"),
    ]
    translated = Analysis("1", {"task": "translate"}, RESPONSE)
    assert {each["language"] for each in segments_of(translated)} == {"en"}


def test_an_owner_with_a_new_name_is_no_change_of_the_users() -> None:
    def insights(text: str, owner: str) -> dict[str, object]:
        item = {"text": text, "owner": owner, "due": None, "evidence": [4]}
        return {"details": {"action_items": [item]}}

    latest = Analysis(
        "1",
        {},
        RESPONSE,
        insights("Send it", "A"),
        speakers={"A": "Ann"},
        action_items=(ActionItem("Send it", "Ann", evidence=(4,)), ActionItem("Mine")),
    )
    assert merged_items(insights("Ship it", "A"), latest) == (
        ActionItem("Ship it", "Ann", evidence=(4,)),
        ActionItem("Mine"),
    )
