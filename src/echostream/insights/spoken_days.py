"""Phrases of English that mean one day, counted from the day on which they are said.

They are in lower case, without marks and with numbers as digits. Those that are vague or may mean
two days ("next week", "3/12", "Friday" on a Friday) have no reader here.
"""

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta

_DAYS = ("mon", "tues?", "wed(?:nes)?", "thu(?:rs?)?", "fri", "sat(?:ur)?", "sun")
_MONTHS = (
    "jan(?:uary)?",
    "feb(?:ruary)?",
    "mar(?:ch)?",
    "apr(?:il)?",
    "may",
    "june?",
    "july?",
    "aug(?:ust)?",
    "sep(?:t(?:ember)?)?",
    "oct(?:ober)?",
    "nov(?:ember)?",
    "dec(?:ember)?",
)
_WEEKDAY = rf"(?P<weekday>{'|'.join(_DAYS)})(?:day)?"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_YEAR = r"(?: (?P<year>\d{4}))?"
_DATE = r"(?P<date>.+)"
_COUNT = r"(?P<count>\d{1,3}|an?)"
_SPAN = rf"{_COUNT} (?P<span>day|week|fortnight|month|year)s?"
_END = r"(?:the )?(?:(?:very )?end|last day) of"

_WEEK = timedelta(days=7)
_FRIDAY = 4
_LONGEST_PAST = timedelta(days=60)
"""A day of the year that is gone for less than this is not that of next year: somebody spoke of the
past."""

_Reader = Callable[[re.Match[str], date], date | None]
_READERS: list[tuple[re.Pattern[str], _Reader]] = []


def day_of(said: str, today: date) -> date | None:
    """The day that `said` means on `today`; None if no phrase here is all of it. Raises ValueError
    or OverflowError if there is no such day."""
    for pattern, read in _READERS:
        if match := pattern.fullmatch(said):
            return read(match, today)
    return None


def _reads(*patterns: str) -> Callable[[_Reader], _Reader]:
    def added(read: _Reader) -> _Reader:
        _READERS.extend((re.compile(pattern), read) for pattern in patterns)
        return read

    return added


@_reads(
    "today|tonight|this (?:morning|afternoon|evening)|eod|cob",
    "(?:the )?(?:end|close) of (?:the |this )?(?:day|business)",
)
def _today(_match: re.Match[str], today: date) -> date | None:
    return today


@_reads("tomorrow")
def _tomorrow(_match: re.Match[str], today: date) -> date | None:
    return today + timedelta(days=1)


@_reads("(?:the )?day after tomorrow")
def _day_after_tomorrow(_match: re.Match[str], today: date) -> date | None:
    return today + timedelta(days=2)


@_reads(rf"(?:(?:the |this )?coming |the next )?{_WEEKDAY}")
def _coming(match: re.Match[str], today: date) -> date | None:
    """On a Friday, "Friday" may be today or in a week."""
    ahead = (_weekday(match) - today.weekday()) % 7
    return today + timedelta(days=ahead) if ahead else None


@_reads(rf"{_WEEKDAY} week")
def _week_after_coming(match: re.Match[str], today: date) -> date | None:
    coming = _coming(match, today)
    return coming + _WEEK if coming else None


@_reads(rf"this {_WEEKDAY}", rf"{_WEEKDAY} (?:of )?this week", rf"this week on {_WEEKDAY}")
def _in_this_week(match: re.Match[str], today: date) -> date | None:
    day = _monday(today) + timedelta(days=_weekday(match))
    return day if day != today else None


@_reads(rf"next {_WEEKDAY}", rf"{_WEEKDAY} (?:of )?next week", rf"next week(?: on)? {_WEEKDAY}")
def _in_next_week(match: re.Match[str], today: date) -> date | None:
    """Most people say "Friday" of this week's, and "next Friday" of next week's."""
    return _monday(today) + _WEEK + timedelta(days=_weekday(match))


@_reads(rf"{_WEEKDAY} (?!week)(?!(?:of )?(?:this|next) week){_DATE}")
def _weekday_of_date(match: re.Match[str], today: date) -> date | None:
    """ "Friday the 4th", if that is a Friday."""
    day = day_of(match["date"], today)
    return day if day is not None and day.weekday() == _weekday(match) else None


@_reads(rf"{_END} (?:the |this |(?P<next>next ))?week")
def _end_of_week(match: re.Match[str], today: date) -> date | None:
    """Friday: people who set such dates mean the working week."""
    friday = _monday(today) + timedelta(days=_FRIDAY)
    return friday + _WEEK if match["next"] else friday


@_reads(rf"{_END} (?:the |this |(?P<next>next ))?(?P<span>month|quarter|year)")
def _end_of_span(match: re.Match[str], today: date) -> date | None:
    months = {"month": 1, "quarter": 3, "year": 12}[match["span"]]
    last = (today.month - 1) // months * months + months
    first = date(today.year, last, 1)
    return _last_of(_plus_months(first, months) if match["next"] else first)


@_reads(rf"{_END} {_MONTH}{_YEAR}")
def _end_of_month(match: re.Match[str], today: date) -> date | None:
    month = _month(match)
    year = int(match["year"] or today.year + (month < today.month))
    return _last_of(date(year, month, 1))


@_reads(rf"(?:the )?(?:end|close) of {_DATE}")
def _end_of_day(match: re.Match[str], today: date) -> date | None:
    return day_of(match["date"], today)


@_reads(
    rf"(?:with)?in (?:the next )?{_SPAN}(?: time| from (?:now|today))?",
    rf"{_SPAN} (?:time|from (?:now|today))",
)
def _ahead(match: re.Match[str], start: date) -> date | None:
    count = 1 if match["count"].startswith("a") else int(match["count"])
    months = {"month": 1, "year": 12}.get(match["span"])
    if months:
        return _plus_months(start, count * months)
    return start + timedelta(days=count * {"day": 1, "week": 7, "fortnight": 14}[match["span"]])


@_reads(rf"{_SPAN} (?:from|after|on) {_DATE}")
def _ahead_of_date(match: re.Match[str], today: date) -> date | None:
    """ "A week from Friday"."""
    start = day_of(match["date"], today)
    return _ahead(match, start) if start else None


@_reads(
    rf"(?:the )?(?P<day>\d\d?)(?:st|nd|rd|th)? (?:of )?{_MONTH}{_YEAR}",
    rf"{_MONTH} (?:the )?(?P<day>\d\d?)(?:st|nd|rd|th)?{_YEAR}",
)
def _day_of_year(match: re.Match[str], today: date) -> date | None:
    return _in_year(match["year"], _month(match), int(match["day"]), today)


@_reads(r"(?:the )?(?P<day>\d\d?)(?:st|nd|rd|th)")
def _day_of_month(match: re.Match[str], today: date) -> date | None:
    """Of this month, or of the next one if it is past."""
    day = int(match["day"])
    return _plus_months(today.replace(day=1), int(day < today.day)).replace(day=day)


@_reads(r"(?:the )?(?P<day>\d\d?)(?:st|nd|rd|th) of (?:the|this|(?P<next>next)) month")
def _day_of_that_month(match: re.Match[str], today: date) -> date | None:
    first = today.replace(day=1)
    return _plus_months(first, 1 if match["next"] else 0).replace(day=int(match["day"]))


@_reads(r"(?P<one>\d\d?)/(?P<two>\d\d?)(?:/(?P<year>\d{4}))?")
def _slashed(match: re.Match[str], today: date) -> date | None:
    """12/24 or 24/12; 3/12 may be read both ways."""
    one, two = int(match["one"]), int(match["two"])
    if one <= 12 and two <= 12 and one != two:
        return None
    month, day = (two, one) if one > 12 else (one, two)
    return _in_year(match["year"], month, day, today)


@_reads(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)",
    r"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{4})",
)
def _written(match: re.Match[str], _today: date) -> date | None:
    return date(int(match["year"]), int(match["month"]), int(match["day"]))


def _in_year(year: str | None, month: int, day: int, today: date) -> date | None:
    """In the year that was said, else in this one, or in the next one if it is long past."""
    if year:
        return date(int(year), month, day)
    this_year = date(today.year, month, day)
    if this_year >= today:
        return this_year
    return date(today.year + 1, month, day) if today - this_year > _LONGEST_PAST else None


def _weekday(match: re.Match[str]) -> int:
    return _place(match["weekday"], _DAYS)


def _month(match: re.Match[str]) -> int:
    return _place(match["month"], _MONTHS) + 1


def _place(said: str, patterns: tuple[str, ...]) -> int:
    return next(place for place, each in enumerate(patterns) if re.fullmatch(each, said))


def _monday(today: date) -> date:
    return today - timedelta(days=today.weekday())


def _last_of(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _plus_months(day: date, months: int) -> date:
    """The same day of a later month, or the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))
