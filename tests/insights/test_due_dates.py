"""Due times as they were said, and the days that they mean."""

from calendar import monthrange
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echostream.domain import ActionItem
from echostream.insights.base import no_speech, replace_details
from echostream.insights.due_dates import due_date, with_due_dates

THURSDAY = date(2026, 11, 26)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAYS = st.dates(date(2000, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    ("phrase", "day"),
    [
        ("today", "2026-11-26"),
        ("by the end of the day", "2026-11-26"),
        ("tonight", "2026-11-26"),
        ("tomorrow", "2026-11-27"),
        ("tomorrow morning", "2026-11-27"),
        ("before tomorrow", "2026-11-26"),
        ("the day after tomorrow", "2026-11-28"),
        ("Friday", "2026-11-27"),
        ("by friday", "2026-11-27"),
        ("Friday at noon", "2026-11-27"),
        ("5 p.m. on Friday", "2026-11-27"),
        ("EOD Friday", "2026-11-27"),
        ("Monday morning at nine", "2026-11-30"),
        ("the end of Monday", "2026-11-30"),
        ("before Wednesday", "2026-12-01"),
        ("before 3 pm on Wednesday", "2026-12-02"),
        ("this Friday", "2026-11-27"),
        ("this coming Tuesday", "2026-12-01"),
        ("next Tuesday", "2026-12-01"),
        ("next Friday", "2026-12-04"),
        ("Friday of next week", "2026-12-04"),
        ("Friday week", "2026-12-04"),
        ("a week from Friday", "2026-12-04"),
        ("two days after the 15th", "2026-12-17"),
        ("the end of the week", "2026-11-27"),
        ("the end of next week", "2026-12-04"),
        ("by the end of the month", "2026-11-30"),
        ("before the end of the month", "2026-11-30"),
        ("the end of next month", "2026-12-31"),
        ("end of the quarter", "2026-12-31"),
        ("the end of next quarter", "2027-03-31"),
        ("the end of the year", "2026-12-31"),
        ("the end of February", "2027-02-28"),
        ("in two weeks", "2026-12-10"),
        ("in two weeks' time", "2026-12-10"),
        ("in a week's time", "2026-12-03"),
        ("within thirty days", "2026-12-26"),
        ("within the next twenty-one days", "2026-12-17"),
        ("three months from now", "2027-02-26"),
        ("in a year", "2027-11-26"),
        ("the 15th", "2026-12-15"),
        ("the thirtieth", "2026-11-30"),
        ("the fifth of next month", "2026-12-05"),
        ("December 3rd", "2026-12-03"),
        ("Dec. 3", "2026-12-03"),
        ("the third of December", "2026-12-03"),
        ("3 December 2027", "2027-12-03"),
        ("December 3rd, 2027", "2027-12-03"),
        ("January the twenty-first", "2027-01-21"),
        ("november twenty sixth", "2026-11-26"),
        ("March 1", "2027-03-01"),
        ("Friday the 4th", "2026-12-04"),
        ("Friday, December 4th at the latest", "2026-12-04"),
        ("12/24", "2026-12-24"),
        ("24/12/2026", "2026-12-24"),
        ("2026-12-03", "2026-12-03"),
        ("03.12.2026", "2026-12-03"),
    ],
)
def test_phrase_means_a_day(phrase: str, day: str) -> None:
    assert due_date(phrase, THURSDAY) == date.fromisoformat(day)


@pytest.mark.parametrize(
    "phrase",
    [
        "",
        "soon",
        "as soon as possible",
        "next week",
        "next month",
        "this weekend",
        "December",
        "before lunch",
        "noon",
        "in an hour",
        "in a few days",
        "in a couple of weeks",
        "the first week of March",
        "the next release",
        "the end of the sprint",
        "after Friday",
        "Friday or Monday",
        "Thursday",  # today, or in a week?
        "this Monday",  # it is past
        "November 20th",  # also past
        "3/12",
        "the 32nd",
        "the 31st",  # of November?
        "February 30th",
        "Friday the 5th",  # a Saturday
        "2025-12-03",
        "bis Freitag",
        "the third Friday of December",
        "may",
        "one",
    ],
)
def test_phrase_that_is_vague_or_means_no_day_has_no_date(phrase: str) -> None:
    assert due_date(phrase, THURSDAY) is None


@given(DAYS, st.sampled_from(WEEKDAYS))
def test_weekday_is_in_the_next_six_days(today: date, name: str) -> None:
    found = due_date(name, today)

    if found is None:
        assert WEEKDAYS[today.weekday()] == name
    else:
        assert timedelta(0) < found - today < timedelta(7)
        assert WEEKDAYS[found.weekday()] == name


@given(DAYS, st.sampled_from(WEEKDAYS))
def test_next_weekday_is_in_the_week_that_follows(today: date, name: str) -> None:
    found = due_date(f"next {name}", today)

    assert found is not None
    assert found.isocalendar()[:2] == (today + timedelta(7)).isocalendar()[:2]
    assert WEEKDAYS[found.weekday()] == name


@given(DAYS, DAYS)
def test_day_of_the_year_comes_within_a_year(today: date, day: date) -> None:
    found = due_date(f"{day:%B} {day.day}", today)

    if found is not None:
        assert (found.month, found.day) == (day.month, day.day)
        assert today <= found <= today + timedelta(366)


@given(DAYS, st.integers(1, 99), st.sampled_from(["day", "week", "month", "year"]))
def test_spans_are_counted_from_today(today: date, count: int, span: str) -> None:
    found = due_date(f"in {count} {span}s", today)

    assert found is not None
    if span in ("day", "week"):
        assert found - today == timedelta(count * (7 if span == "week" else 1))
    else:
        months = (found.year - today.year) * 12 + found.month - today.month
        assert months == count * (12 if span == "year" else 1)
        assert found.day == min(today.day, monthrange(found.year, found.month)[1])


PIECES = (
    "by before next this the end of on in a two 15th 31st 0 99 friday mon week month may december "
    "2026 from after at noon eod 2/30 first , ."
)


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES.split())).map(" ".join)), st.dates())
def test_no_phrase_is_a_fault_or_due_in_the_past(phrase: str, today: date) -> None:
    found = due_date(phrase, today)

    assert found is None or found >= today


def items(recorded_on: date | None) -> tuple[ActionItem, ...]:
    spoken = (
        ActionItem("Send it", "Ann", "by Friday", (1,)),
        ActionItem("Look into it", None, "soon", (2,)),
        ActionItem("Rest", None, None, (3,)),
    )
    found = no_speech("fake", None)
    found = replace_details(found, replace(found.details, action_items=spoken))
    return with_due_dates(found, recorded_on).details.action_items


def test_items_get_dates() -> None:
    assert [item.due_date for item in items(THURSDAY)] == [date(2026, 11, 27), None, None]
    assert [item.due for item in items(THURSDAY)] == ["by Friday", "soon", None]


def test_without_the_day_of_the_recording_no_date_is_made_up() -> None:
    assert [item.due_date for item in items(None)] == [None, None, None]
