"""Marks in answers, whole and in pieces."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echostream.insights.citations import Citations


def told(*pieces: str, shown: int = 9) -> tuple[str, tuple[int, ...]]:
    citations = Citations(range(1, shown + 1))
    text = "".join([*map(citations.feed, pieces), citations.end()])
    return text, citations.cited


@pytest.mark.parametrize(
    ("text", "shown", "cited"),
    [
        ("Friday [7].", "Friday [1].", (7,)),
        ("Friday [7], or not [3] [7].", "Friday [1], or not [2] [1].", (7, 3)),
        ("Friday[7][3].", "Friday [1] [2].", (7, 3)),
        ("Friday [3, 7; 3].", "Friday [1][2].", (3, 7)),
        ("Friday [12].", "Friday.", ()),
        ("Friday [0] [3, 99].", "Friday [1].", (3,)),
        ("Friday [see below] [a1].", "Friday [see below] [a1].", ()),
        ("Friday [7", "Friday [7", ()),
        ("[[7]]", "[ [1]]", (7,)),
        ("Friday [" + "9" * 30 + "].", "Friday [" + "9" * 30 + "].", ()),
        ("", "", ()),
    ],
)
def test_marks(text: str, shown: str, cited: tuple[int, ...]) -> None:
    assert told(text) == (shown, cited)


@given(st.text("ab [],;0123 \n", max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_pieces_give_what_the_whole_gives(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert told(*pieces) == told(text)


def test_text_is_held_back_only_for_a_mark() -> None:
    citations = Citations(range(1, 10))
    assert citations.feed("On Friday") == "On Friday"
    assert citations.feed(" [") == ""
    assert citations.feed("7") == ""
    assert citations.feed("] we") == " [1] we"
    assert citations.feed(" [" + "1," * 200) != ""


def test_two_lines_of_one_source_have_one_mark() -> None:
    citations = Citations(["a", "b", "b"])
    assert citations.feed("So it is [2], it is [3] [1].") == "So it is [1], it is [1] [2]."
    assert citations.cited == ("b", "a")
