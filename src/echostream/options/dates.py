"""When a recording was made, as requests say it."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema


def _day(given: object) -> object:
    """The day as it is written: at its place, and not in the server's time zone."""
    if isinstance(given, date):
        return given
    try:
        return datetime.fromisoformat(given.strip() if isinstance(given, str) else "").date()
    except ValueError as error:
        raise ValueError(
            "must be a date such as 2026-11-26, or a date and time such as"
            " 2026-11-26T09:30:00+01:00"
        ) from error


RecordedAt = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema(
        {"type": "string", "examples": ["2026-11-26", "2026-11-26T09:30:00+01:00"]},
    ),
]
