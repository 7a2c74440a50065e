"""The phrases that English has for due times."""

import re

_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
)
_PARTS = r"(?: (?:morning|afternoon|evening|night))?"
_SPAN = r"(?:day|week|weekend|month|quarter|year|hour|sprint)"
_NUMBER = (
    r"(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|"
    r"a few|a couple of)"
)
_NUMBERED = r"(?:\d+(?:st|nd|rd|th)|(?:twenty[- ]|thirty[- ])?(?:first|second|third|[a-z]+th))"
_ORDINAL = rf"(?:{_NUMBERED}|\d+|last)"
_YEAR = r"(?:,? \d{4})?"
_DATE = rf"(?:the )?{_ORDINAL} (?:of )?{_MONTH}{_YEAR}|{_MONTH}(?: (?:the )?{_ORDINAL}\b{_YEAR})?"
_WEEKDAY = (
    rf"{_DAY}(?:,? (?:{_DATE}|the {_NUMBERED}))?{_PARTS}(?: (?:of )?(?:this|next) week| week)?"
)
_ALONE = r"(?= *(?:$|[.,;!?]|(?:at|and|or|so|then|please|in|if|because|is|will|we|i|you)\b))"
"""After "the second", which is a day only if no "meeting" follows."""
_WHEN = (
    rf"(?:(?:the )?(?:very )?end of (?:the |this |next )?(?:{_SPAN}|business|{_MONTH})|"
    rf"(?:the )?{_ORDINAL} {_SPAN} of {_MONTH}|{_DATE}|"
    rf"the {_NUMBERED}(?: of (?:the|this|next) month|{_ALONE})|"
    rf"(?:this |next |the (?:coming |following )?)?{_WEEKDAY}|"
    rf"{_NUMBER} {_SPAN}s? from (?:now|today|{_DAY})|the day after tomorrow|"
    rf"(?:today|tomorrow|tonight){_PARTS}|(?:this|next) (?:morning|afternoon|evening|{_SPAN})|"
    rf"\d+(?::\d+)? ?(?:am|pm|o'clock)|(?:{_NUMBER}) o'clock|noon|midday|midnight|lunch|"
    rf"\d{{4}}-\d\d-\d\d|\d+[/.]\d+(?:[/.]\d+)?|eod|cob)"
)
_EVENT = r"(?:the |our |this )?(?:next |final )?(?:[\w'-]+ )?(?:deadline|release|meeting|launch|"
_EVENT += r"call|review|audit|lunch|break|presentation|demo|weekend|holidays?|event|conference)"
_DUE = re.compile(
    rf"(?<!\bto )(?<!\bfrom )(?<!\bsince )(?<!\bof )(?<!\blast )\b(?:"
    rf"(?P<latest>(?:by|before|until|till|no later than) (?:{_WHEN}|{_EVENT}))|"
    rf"(?P<day>on (?:the )?(?:{_WEEKDAY}|{_DATE}|{_NUMBERED}{_ALONE})|(?:at|after|in|within) "
    rf"(?:the (?:morning|afternoon|evening)|{_NUMBER} (?:{_SPAN}s?|minutes?)(?: time)?|{_WHEN}|"
    rf"{_EVENT})|as soon as possible|asap|right away|immediately|"
    rf"(?:today|tomorrow|tonight){_PARTS}|(?:this|next) (?:morning|afternoon|evening|{_SPAN}|"
    rf"{_DAY}|{_MONTH})|end of (?:the )?{_SPAN}))\b",
    re.I,
)

_DURING = re.compile(
    r"\bminutes?\b|\bthis morning$|^(?:immediately|right away|(?:in|at|within) .*\b(?:meeting|call|"
    r"presentation|review|demo|event|conference))$",
    re.I,
)


def due_of(text: str) -> str | None:
    """The due time as it was said: "by friday" gives "friday"."""
    matches = list(_DUE.finditer(text))
    if not matches:
        return None
    best = next((match for match in matches if match["latest"]), matches[0])
    return re.sub(r"^(?:by|on)\s+", "", best[0], flags=re.I)


def is_for_later(text: str) -> bool:
    """Whether a due time comes after the talk: not in a minute, and not in this meeting."""
    due = due_of(text)
    return due is not None and _DURING.search(due) is None
