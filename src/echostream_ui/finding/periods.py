"""Periods of time to look for recordings in."""

from datetime import date, timedelta

ANY, RANGE = "any", "range"
PERIODS = {
    ANY: "Any time",
    "today": "Today",
    "last_7": "Last 7 days",
    "last_30": "Last 30 days",
    "this_month": "This month",
    RANGE: "A range",
}


def days_of(period: str, today: date) -> tuple[date | None, date | None]:
    """Returns the first and the last day of a period, None where it has no limit. The last 7 days
    are today and the six before it."""
    if period == "today":
        return today, today
    if period == "last_7":
        return today - timedelta(days=6), today
    if period == "last_30":
        return today - timedelta(days=29), today
    if period == "this_month":
        return today.replace(day=1), today
    return None, None
