"""Times, lengths, dates and sizes as the pages say them."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from frontend.intake import Stage
from frontend.store import SentimentLabel, Source, State

STATE_WORDS: dict[State, str] = {
    "waiting": "Waiting",
    "active": "In progress",
    "completed": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
STAGE_WORDS: dict[Stage, str] = {
    "waiting": "Waiting for its turn",
    "uploading": "Being sent to the API",
    "queued": "In the API's queue",
    "transcribing": "Being transcribed",
    "saving": "Being saved",
}
SOURCE_WORDS: dict[Source, str] = {
    "file": "Uploaded file",
    "url": "Web address",
    "microphone": "Microphone",
    "live": "Live recording",
}
SENTIMENT_WORDS: dict[SentimentLabel, str] = {
    "positive": "Positive",
    "neutral": "Neutral",
    "negative": "Negative",
}

_LONGEST_NAME = 80


def clock(seconds: float) -> str:
    """A place in a recording: `0:42`, `1:02:03`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """A length: `42 s`, `4 min 12 s`, `1 h 4 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def day(moment: datetime, timezone: str | None) -> str:
    """`3 March 2026`, where the reader is: `timezone` as `st.context.timezone` gives it."""
    local = _local(moment, timezone)
    return f"{local.day} {local:%B %Y}"


def day_and_time(moment: datetime, timezone: str | None) -> str:
    """`3 March 2026, 14:05`."""
    return f"{day(moment, timezone)}, {_local(moment, timezone):%H:%M}"


def size(count_bytes: int) -> str:
    """`640 kB`, `3.4 MB`."""
    if count_bytes < 1_000_000:
        return f"{max(1, round(count_bytes / 1000))} kB"
    if count_bytes < 1_000_000_000:
        return f"{count_bytes / 1_000_000:.1f} MB"
    return f"{count_bytes / 1_000_000_000:.1f} GB"


def count(number: int, one: str, many: str) -> str:
    """`1 recording`, `12 recordings`."""
    return f"{number:,} {one if number == 1 else many}"


def file_name(title: str) -> str:
    """A title as a file's name without its suffix, good on every system."""
    words = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', " ", title)
    name = " ".join(words.split())[:_LONGEST_NAME].strip(" .")
    return name or "recording"


def plain(text: str) -> str:
    """A text that was not written for Markdown, so that Streamlit shows it as it is. No sign is
    escaped without need: labels are read aloud as they stand here."""
    one_line = " ".join(text.split())
    inline = re.sub(r"([\\`*_\[\]<>$~]|:(?=[^\W\d])|&(?=#?\w+;)|(?<=-)-)", r"\\\1", one_line)
    return re.sub(r"^(\d*)([#+\-=.)])(?= |$)", r"\1\\\2", inline)


def _local(moment: datetime, timezone: str | None) -> datetime:
    try:
        return moment.astimezone(ZoneInfo(timezone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        return moment
