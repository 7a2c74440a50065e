import pytest

from echostream.streaming.pace import Pace


def paced(*turns_s: float) -> float:
    pace = Pace()
    for turn_s in turns_s:
        pace.note(turn_s)
    return pace.step_s


def test_the_first_reading_comes_soon() -> None:
    assert paced() == paced(0.01) == 0.6


def test_it_follows_the_usual_turn() -> None:
    assert paced(*[0.5] * 9) == pytest.approx(1.125)
    assert paced(*[0.5] * 9, *[2.0] * 9) == pytest.approx(4.5)


def test_one_slow_turn_delays_the_next_only_a_little() -> None:
    assert paced(0.4, 0.4, 0.4, 2.0) == pytest.approx(2.5)
    assert paced(0.4, 0.4, 0.4, 2.0, 0.4) == pytest.approx(0.9)
