"""Shares of the talk time, and what the control for speakers asks for."""

from typing import Any

import pytest

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.transcript import Line
from echostream_ui.recording.speakers import asked
from echostream_ui.recording.talk_time import Share, shares_of


def speaker(name: str, seconds: float) -> dict[str, Any]:
    return {"id": name, "name": None, "seconds": seconds}


def test_shares_go_by_the_users_names() -> None:
    response = {"speakers": [speaker("A", 1.0), speaker("B", 6.0), speaker("C", 3.0)]}
    analysis = Analysis("1", {}, response, speakers={"A": "Ann", "C": "Ann"})
    lines = [Line(number, 0.0, 1.0, "", "", name) for number, name in enumerate(["Ann", "B"])]
    assert shares_of(analysis, lines) == [
        Share("B", 1, 6.0, 0.6),
        Share("Ann", 0, 4.0, 0.4),
    ]


@pytest.mark.parametrize(
    "response",
    [
        {},
        {"speakers": None},
        {"speakers": [speaker("A", 1.0)]},
        {"speakers": [speaker("A", 0.0)] * 2},
    ],
)
def test_a_monologue_has_no_shares(response: dict[str, Any]) -> None:
    assert shares_of(Analysis("1", {}, response), []) == []


def test_what_a_choice_asks_for() -> None:
    assert [asked(choice) for choice in (None, "off", "find", 3)] == [
        {},
        {"diarize": False},
        {"diarize": True},
        {"num_speakers": 3},
    ]
