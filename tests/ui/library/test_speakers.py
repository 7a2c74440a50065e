"""Who speaks, after the user has changed names and lines."""

from dataclasses import replace

import pytest

from echostream_ui.library.analysis import ActionItem, Analysis
from echostream_ui.library.names import since_insights
from echostream_ui.library.speakers import (
    TalkTime,
    given,
    named,
    renamed_everywhere,
    talk_times,
    undoing,
    undone,
)
from echostream_ui.library.transcript import lines_of

SPOKEN = ("A", "A", "B", None)
RESPONSE = {
    "segments": [
        {"id": 10 + number, "start": 2.0 * number, "end": 2.0 * number + 2, "text": "x"}
        | ({"speaker": speaker} if speaker else {})
        for number, speaker in enumerate(SPOKEN)
    ],
    "speakers": [{"id": "A", "seconds": 4.0}, {"id": "B", "seconds": 2.0}],
}
FRESH = Analysis("1", {}, RESPONSE, action_items=(ActionItem("Ask Bo", "B"), ActionItem("Go", "A")))


def speakers(analysis: Analysis) -> list[str | None]:
    return [line.speaker for line in lines_of(analysis)]


def seconds(analysis: Analysis) -> dict[str, float]:
    return {each.name: each.seconds for each in talk_times(analysis)}


def test_a_name_for_everywhere() -> None:
    once = renamed_everywhere(FRESH, 11, "Ann")
    assert speakers(once) == ["Ann", "Ann", "B", None]
    assert [item.owner for item in once.action_items] == ["B", "Ann"]
    assert speakers(renamed_everywhere(once, 10, "Eve")) == ["Eve", "Eve", "B", None]
    assert renamed_everywhere(once, 10, "A") == FRESH


def test_two_with_one_name_are_one_from_then_on() -> None:
    merged = renamed_everywhere(renamed_everywhere(FRESH, 10, "Ann"), 12, "Ann")
    assert speakers(merged) == ["Ann", "Ann", "Ann", None]
    assert talk_times(merged) == [TalkTime("Ann", ("A", "B"), 6.0)]
    assert [item.owner for item in merged.action_items] == ["Ann", "Ann"]
    assert speakers(renamed_everywhere(merged, 12, "Eve")) == ["Eve", "Eve", "Eve", None]


def test_one_line_for_another_or_a_new_speaker() -> None:
    moved = given(FRESH, 11, "B")
    assert speakers(moved) == ["A", "B", "B", None]
    assert seconds(moved) == {"A": 2.0, "B": 4.0}
    assert given(moved, 11, "A") == FRESH
    new = given(moved, 10, "Cy")
    assert speakers(new) == ["Cy", "B", "B", None]
    assert seconds(new) == {"B": 4.0, "Cy": 2.0}  # nothing is left of A
    renamed = renamed_everywhere(new, 10, "Dan")
    assert speakers(renamed) == ["Dan", "B", "B", None]
    assert speakers(given(FRESH, 13, "B")) == ["A", "A", "B", "B"]
    assert speakers(renamed_everywhere(FRESH, 13, "Eve")) == ["A", "A", "B", "Eve"]
    assert RESPONSE["segments"][1]["speaker"] == "A"


def test_a_new_speaker_is_nobody_of_before() -> None:
    """Also if called by a letter that somebody had before they got a name."""
    ann = renamed_everywhere(FRESH, 10, "Ann")
    new = given(ann, 12, "A")
    assert speakers(new) == ["Ann", "Ann", "A", None]
    assert speakers(renamed_everywhere(new, 12, "Bo")) == ["Ann", "Ann", "Bo", None]
    # Somebody whose lines are all given away keeps the name.
    assert speakers(given(given(given(ann, 10, "B"), 11, "B"), 12, "Ann"))[2] == "Ann"


@pytest.mark.parametrize(
    "step",
    [
        lambda before: renamed_everywhere(before, 10, "Ann"),
        lambda before: renamed_everywhere(before, 12, "A"),
        lambda before: given(before, 11, "New"),
        lambda before: given(before, 12, "A"),
        lambda before: named(before, {"B": "Bo"}),
    ],
)
def test_every_step_can_be_taken_back(step) -> None:
    for before in (FRESH, given(renamed_everywhere(FRESH, 12, "Bob"), 10, "Bob")):
        after = step(before)
        assert undone(after, undoing(before, after)) == before
        elsewhere = replace(after, line_speakers={**after.line_speakers, 13: "B"})
        assert undone(elsewhere, undoing(before, after)).line_speakers[13] == "B"


def test_insights_follow_a_merge() -> None:
    made = replace(FRESH, insights={"summary": "Speaker A and Speaker B.", "speakers": {}})
    assert since_insights(renamed_everywhere(made, 12, "A")) == {"B": "A"}
    assert since_insights(given(given(made, 10, "B"), 11, "B")) == {}
