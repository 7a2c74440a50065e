"""When words are said, as recognised and after an edit."""

from itertools import pairwise
from typing import Any

import pytest

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.timed_words import timed_words
from echostream_ui.library.transcript import lines_of


def timed(text: str, *words: str, edit: str | None = None) -> list[tuple[str, float, float]]:
    """The words of a line, one second each, with their times and how sure they are."""
    segment: dict[str, Any] = {
        "id": 7,
        "start": 0.0,
        "end": float(len(words)),
        "text": text,
        "words": [
            {"word": word, "start": float(at), "end": at + 0.9, "probability": 0.5}
            for at, word in enumerate(words)
        ],
    }
    response = {"segments": [segment]}
    (line,) = lines = lines_of(Analysis("", {}, response, edits={} if edit is None else {7: edit}))
    found = timed_words(response, lines).get(7, [])
    return [(line.text[each.begin : each.end], each.start_s, each.probability) for each in found]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" We are, we are here.", ["We", "are,", "we", "are", "here."]),
        ("今日は雨", ["今日", "は", "雨"]),
        ("twice  two", ["twice", "two"]),
    ],
)
def test_each_word_stands_where_it_was_recognised(text: str, words: list[str]) -> None:
    assert timed(text, *words) == [(word, float(at), 0.5) for at, word in enumerate(words)]


def test_a_line_without_times_has_no_words() -> None:
    assert timed("Nobody timed this.") == []


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ("We meet Maria today", [("We", 0), ("meet", 1), ("Maria", 2), ("today", 3)]),
        ("We meet today", [("We", 0), ("meet", 1), ("today", 3)]),
        ("Today", [("Today", 3)]),
        ("", []),
    ],
)
def test_words_that_stay_keep_their_times(edit: str, expected: list[tuple[str, int]]) -> None:
    found = timed("We meet Mary today", "We", "meet", "Mary", "today", edit=edit)
    assert [word for word, *_ in found] == [word for word, _ in expected]
    assert [at for _, at, _ in found] == pytest.approx([at for _, at in expected], abs=0.15)


def test_new_words_share_the_time_and_are_sure() -> None:
    found = timed("a b c", "a", "b", "c", edit="a one two three c")
    times = [at for _, at, _ in found]
    assert all(before < after for before, after in pairwise(times))
    assert [sure for *_, sure in found] == [0.5, 1.0, 1.0, 1.0, 0.5]
