"""What the sentiment chart shows, and an edit that is undone."""

from dataclasses import replace
from typing import Any

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.transcript import Line, edited
from echostream_ui.recording.sentiment_chart import bars_of, chart_of, described


def lines(count: int) -> dict[int, Line]:
    return {
        number: Line(number, 2.0 * number, 2.0 * number + 1, f"Text {number}", "")
        for number in range(count)
    }


def timeline(count: int) -> list[dict[str, Any]]:
    labels = ("positive", "neutral", "negative")
    return [
        {"segment": number, "label": labels[number % 3], "score": 0.8} for number in range(count)
    ]


def test_a_bar_reaches_to_the_next_one_and_the_last_to_the_end() -> None:
    bars = bars_of(timeline(3), lines(3), 9.0)
    assert [(bar["start"], bar["end"]) for bar in bars] == [(0, 2), (2, 4), (4, 9)]
    assert [(bar["low"], bar["high"]) for bar in bars] == [(0, 0.8), (-0.04, 0.04), (-0.8, 0)]
    assert [bar["line"] for bar in bars] == [0, 1, 2]


def test_many_segments_share_bars_and_none_is_lost() -> None:
    bars = bars_of(timeline(5000), lines(5000), 10_000.0)
    assert len(bars) <= 160
    assert (bars[0]["start"], bars[-1]["end"]) == (0.0, 10_000.0)
    assert chart_of(bars).to_dict()["mark"]["type"] == "bar"


def test_segments_that_are_gone_are_left_out() -> None:
    assert bars_of(timeline(3), {}, 9.0) == []
    assert [bar["line"] for bar in bars_of(timeline(3), lines(1), 9.0)] == [0]


def test_the_chart_in_words() -> None:
    assert described(timeline(4)) == "4 segments: 2 positive, 1 neutral and 1 negative."
    assert described(timeline(1)) == "1 segment: 1 positive, 0 neutral and 0 negative."


def test_an_edit_back_to_the_original_is_none() -> None:
    response = {"segments": [{"id": 4, "start": 0.0, "end": 1.0, "text": " Hello."}]}
    fresh = Analysis("1", {}, response)
    corrected = replace(fresh, edits={4: "Hallo.", 5: "x"})
    assert edited(fresh, {4: " Hallo. "}) == {4: "Hallo."}
    assert edited(corrected, {4: "Hello."}) == edited(corrected, {4: None}) == {5: "x"}
    assert edited(fresh, {4: ""}) == {4: ""}
