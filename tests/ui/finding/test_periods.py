"""Periods of time, from a day at the end of a short month."""

from datetime import date

import pytest

from echostream_ui.finding.periods import ANY, PERIODS, RANGE, days_of

TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        (ANY, None, None),
        ("today", TODAY, TODAY),
        ("last_7", date(2026, 2, 23), TODAY),
        ("last_30", date(2026, 1, 31), TODAY),
        ("this_month", TODAY, TODAY),
        (RANGE, None, None),
    ],
)
def test_a_period_has_a_first_and_a_last_day(period, first, last):
    assert days_of(period, TODAY) == (first, last)


def test_every_other_period_has_days():
    assert all(all(days_of(each, TODAY)) for each in PERIODS if each not in (ANY, RANGE))
