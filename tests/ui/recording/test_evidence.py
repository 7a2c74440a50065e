"""Evidence of insights into a text, put back to the segments that the text was made of."""

from typing import Any

import pytest

from echostream.pipeline import text_segments
from echostream_ui.library.transcript import Line, text_of
from echostream_ui.recording.evidence import mapped, places_of


def lines(*texts: str) -> tuple[Line, ...]:
    return tuple(
        Line(number * 10, float(number), number + 1.0, text, text)
        for number, text in enumerate(texts)
    )


def found_in(text: str) -> list[dict[str, Any]]:
    """The segments of the API's answer for this text."""
    return [{"id": segment.id, "text": segment.text} for segment in text_segments(text)]


@pytest.mark.parametrize(
    ("texts", "places"),
    [
        pytest.param(["One.", "Two."], {0: (0,), 1: (10,)}, id="one for one"),
        pytest.param(["One. Two.", "Three."], {0: (0,), 1: (0,), 2: (10,)}, id="two sentences"),
        pytest.param(["", "One.", "", "Two.", ""], {0: (10,), 1: (30,)}, id="empty ones between"),
        pytest.param(["we  will ", "ship it"], {0: (0,), 1: (10,)}, id="a sentence over two"),
        pytest.param(["東京。大阪。", "京都"], {0: (0,), 1: (0,), 2: (10,)}, id="no spaces"),
        pytest.param([], {}, id="none"),
    ],
)
def test_segments_of_the_answer_find_their_lines(
    texts: list[str], places: dict[int, tuple[int, ...]]
) -> None:
    response = {
        "segments": [
            {"id": number, "start": 0.0, "end": 1.0, "text": text}
            for number, text in enumerate(texts)
        ]
    }
    assert places_of(found_in(text_of(response, {})), lines(*texts)) == places


def test_a_segment_of_the_answer_may_span_lines() -> None:
    found = [{"id": 7, "text": "We will ship it. And"}, {"id": 8, "text": "rest."}]
    assert places_of(found, lines("We will", "ship it.", "And rest.")) == {
        7: (0, 10, 20),
        8: (20,),
    }


def test_insights_are_mapped_and_else_left_as_they_are() -> None:
    insights = {
        "summary": "All of it.",
        "details": {
            "title": "Launch",
            "key_points": [{"text": "Two", "evidence": [1, 2]}],
            "action_items": [{"text": "Ship", "evidence": [2, 9], "owner": "Ann", "due": None}],
            "sentiment_timeline": [
                {"segment": 0, "label": "negative", "score": 0.4},
                {"segment": 1, "label": "positive", "score": 0.9},
                {"segment": 2, "label": "neutral", "score": 0.5},
            ],
        },
    }
    ours = lines("Bad. Two.", "Three.")
    assert mapped(insights, found_in("Bad. Two.\nThree."), ours) == {
        "summary": "All of it.",
        "details": {
            "title": "Launch",
            "key_points": [{"text": "Two", "evidence": [0, 10]}],
            "action_items": [{"text": "Ship", "evidence": [10], "owner": "Ann", "due": None}],
            "sentiment_timeline": [
                {"segment": 0, "label": "positive", "score": 0.9},
                {"segment": 10, "label": "neutral", "score": 0.5},
            ],
        },
    }


def test_an_api_that_gives_no_segments_leaves_no_evidence() -> None:
    insights = {"details": {"key_points": [{"text": "Two", "evidence": [1]}]}}
    details = mapped(insights, [], lines("One."))["details"]
    assert details["key_points"] == [{"text": "Two", "evidence": []}]
