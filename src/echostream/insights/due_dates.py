"""The date of a due time, where it is known on which day it was said.

Language models often count wrong, so dates are computed here, from the words that were said. A
phrase has a date only if all of it is understood and it means one day. English only.
"""

import re
from dataclasses import replace
from datetime import date, timedelta

from echostream.domain import ActionItem, Insights
from echostream.insights.base import replace_details
from echostream.insights.spoken_days import day_of

_LONGEST = 60
"""Characters of a phrase that is read. Nobody says a day in more."""


def _numbered(words: str) -> dict[str, int]:
    return {word: number for number, word in enumerate(words.split(), start=1)}


_CARDINALS = _numbered(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
) | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90}
_ORDINALS = _numbered(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
) | {"thirtieth": 30}
_NUMBER = re.compile(
    rf"\b(?:(?P<tens>twenty|thirty)[- ])?"
    rf"(?:(?P<ordinal>{'|'.join(_ORDINALS)})|(?P<cardinal>{'|'.join(_CARDINALS)}))\b"
)
_MARK = re.compile(r"[,;!?]|'s?(?= )|\.(?!\d)")

_LEAD = re.compile(r"^(?:(?:due|by|on|until|till|for|at|(?:no|not) later than|the latest) )+")
_LATEST = re.compile(r" (?:at the )?latest$")
_BEFORE = re.compile(r"^before ")
_END = re.compile(r"^(?:the )?(?:very )?(?:end|last) ")

_TIME = (
    r"(?:(?:in the )?(?:morning|afternoon|evening)|night|(?:at )?(?:noon|midday|lunch(?:time)?)|"
    r"at \d\d?(?::\d\d)?|(?:at )?\d\d?(?::\d\d)? ?(?:am|pm|o'clock)|"
    r"(?:at )?(?:eod|cob|(?:the )?(?:end|close) of (?:the )?(?:day|business)))"
)
_TIME_FIRST = re.compile(rf"^{_TIME} (?:on |of )?(?=\w)")
_TIME_LAST = re.compile(rf"(?: {_TIME})+$")


def with_due_dates(insights: Insights, recorded_on: date | None) -> Insights:
    """The same insights with the dates of their action items, as far as they are sure."""
    if recorded_on is None or not insights.details.action_items:
        return insights
    items = tuple(_dated(item, recorded_on) for item in insights.details.action_items)
    return replace_details(insights, replace(insights.details, action_items=items))


def due_date(phrase: str, today: date) -> date | None:
    """The day that `phrase` means to somebody who says it on `today`; never an earlier one."""
    if len(phrase) > _LONGEST:
        return None
    said = _LATEST.sub("", _LEAD.sub("", _normal(phrase)))
    try:
        found = _day_before(said, today) if _BEFORE.match(said) else _at_some_time(said, today)
    except (ValueError, OverflowError):  # April 31, or a year that no calendar has
        return None
    return found if found is not None and found >= today else None


def _dated(item: ActionItem, today: date) -> ActionItem:
    return replace(item, due_date=due_date(item.due, today) if item.due else None)


def _normal(phrase: str) -> str:
    """`phrase` in lower case, without marks, with numbers as digits."""
    text = phrase.casefold().replace("\u2019", "'")
    text = re.sub(r"\b([ap])\. ?m\b\.?", r"\1m", text)
    return _NUMBER.sub(_as_digits, " ".join(_MARK.sub(" ", text).split()))


def _as_digits(match: re.Match[str]) -> str:
    tens = _CARDINALS[match["tens"]] if match["tens"] else 0
    if match["ordinal"]:
        return f"{tens + _ORDINALS[match['ordinal']]}th"
    return str(tens + _CARDINALS[match["cardinal"]])


def _day_before(said: str, today: date) -> date | None:
    """The last day "before Friday". Before a time of a day, or an end, it is that day itself."""
    limit = _BEFORE.sub("", said)
    day = day_of(limit, today)
    if day is None:
        return _at_some_time(limit, today)
    return day if _END.match(limit) else day - timedelta(days=1)


def _at_some_time(said: str, today: date) -> date | None:
    """The day, of which a time may be said too: "Friday at noon"."""
    return day_of(said, today) or day_of(_TIME_LAST.sub("", _TIME_FIRST.sub("", said)), today)
