"""A loop of tokens is cut after its first copy, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echostream.engine.whisper.loops import before_loop

MARK = 0
SAID = [7, 8, 9, 1, 2, 3, 4, 5, 6]
UNIT = [1, 2, 3, 4, 5, 6]


def is_mark(token: int) -> bool:
    return token == MARK


@pytest.mark.parametrize("rest", range(len(UNIT)))
def test_the_first_copy_stays(rest: int) -> None:
    looped = SAID + UNIT * 3 + UNIT[:rest]
    assert before_loop(looped, is_mark) == SAID


def test_the_mark_after_the_first_copy_stays() -> None:
    assert before_loop([MARK, *UNIT] * 4, is_mark) == [MARK, *UNIT, MARK]


@pytest.mark.parametrize(
    "ids",
    [
        [],
        [1],
        SAID,
        SAID + UNIT,  # said twice
        [5] * 10,  # "no, no, no"
        SAID + UNIT * 4 + [99],  # it went on with something else
    ],
)
def test_what_is_no_loop_stays(ids: list[int]) -> None:
    assert before_loop(ids, is_mark) == ids


@given(
    st.lists(st.integers(0, 50), max_size=30),
    st.lists(st.integers(0, 50), min_size=1, max_size=20),
    st.integers(14, 40),
)
def test_a_loop_is_cut_and_only_repetitions_go(
    before: list[int], unit: list[int], copies: int
) -> None:
    looped = before + unit * copies
    kept = before_loop(looped, is_mark)
    assert looped[: len(kept)] == kept
    assert len(kept) <= len(before) + len(unit) + 1
    assert set(looped[len(kept) :]) <= set(unit)
