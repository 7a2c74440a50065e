"""Times, durations, dates and sizes as the pages show them."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from echostream.domain import SentimentLabel
from echostream_ui.intake.progress import Progress, Stage
from echostream_ui.library.media import Source, State

STATE_WORDS: dict[State, str] = {
    "waiting": "Waiting",
    "active": "Under way",
    "completed": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
STAGE_WORDS: dict[Stage, str] = {
    "waiting": "Waiting for its turn",
    "uploading": "Uploading",
    "queued": "Waiting for its turn",
    "fetching": "Fetching the file",
    "decoding": "Reading the file",
    "transcribing": "Transcribing",
    "diarizing": "Telling the speakers apart",
    "analysing": "Generating insights",
    "saving": "Saving",
}
SOURCE_WORDS: dict[Source, str] = {
    "file": "Uploaded file",
    "url": "Link",
    "microphone": "Microphone",
    "live": "Live recording",
}
SENTIMENT_WORDS: dict[SentimentLabel, str] = {
    "positive": "Positive",
    "neutral": "Neutral",
    "negative": "Negative",
}

_LONGEST_NAME = 80
_SHOWN_CHARS = 400
_CUT_CHARS = 200


def clock(seconds: float) -> str:
    """A time in a recording: `0:42`, `1:02:03`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """A duration: `42 s`, `4 min 12 s`, `1 h 4 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def hours(seconds: float) -> str:
    """A total: `42 min`, `3.5 h`, `1,200 h`."""
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    total = seconds / 3600
    return f"{total:.1f} h" if total < 100 else f"{total:,.0f} h"


def day(moment: datetime, timezone: str | None) -> str:
    """`3 March 2026`, in the reader's time zone: a name as in `st.context.timezone`."""
    there = local(moment, timezone)
    return f"{there.day} {there:%B %Y}"


def iso_day(iso: str) -> str:
    """`3 March 2026` for `2026-03-03`."""
    there = date.fromisoformat(iso)
    return f"{there.day} {there:%B %Y}"


def day_and_time(moment: datetime, timezone: str | None) -> str:
    """`3 March 2026, 14:05`."""
    return f"{day(moment, timezone)}, {local(moment, timezone):%H:%M}"


def size(count_bytes: int) -> str:
    """`640 kB`, `3.4 MB`."""
    if count_bytes < 1_000_000:
        return f"{max(1, round(count_bytes / 1000))} kB"
    if count_bytes < 1_000_000_000:
        return f"{count_bytes / 1_000_000:.1f} MB"
    return f"{count_bytes / 1_000_000_000:.1f} GB"


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 recording`, `12 recordings`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def progress(now: Progress | None, time_s: float) -> str:
    """`Transcribing, 63%, about 2 minutes left`; or `Transcribing, 0:12 so far` if the share is not
    known."""
    if now is None:
        return STAGE_WORDS["waiting"]
    said = STAGE_WORDS[now.stage]
    if now.share is not None:
        said = f"{said}, {now.share:.0%}"
        return said if now.left_s is None else f"{said}, {left(now.left_s)}"
    if now.ahead is not None:
        return f"{said}, {now.ahead} before it" if now.ahead else f"{said}, next in line"
    return f"{said}, {clock(time_s - now.since)} so far" if now.stage == "transcribing" else said


def left(seconds: float) -> str:
    """An estimate, rounded because it is not exact: `about 20 seconds left`,
    `about 2 minutes left`, `about 1 h 20 min left`."""
    if seconds < 8:
        return "a few seconds left"
    if seconds < 55:
        return f"about {max(10, round(seconds / 10) * 10)} seconds left"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"about {count(minutes, 'minute')} left"
    return f"about {duration(round(minutes / 5) * 300)} left"


def end_of(text: str) -> str:
    """The last lines of a growing text. The cut stays at the same place for a while, so that the
    lines being read do not move with each new word."""
    cut = max(0, (len(text) - _SHOWN_CHARS) // _CUT_CHARS * _CUT_CHARS)
    if not cut:
        return text
    _, space, rest = text[cut : cut + 50].partition(" ")
    return "… " + (rest + text[cut + 50 :] if space else text[cut:])


def file_name(title: str) -> str:
    """Returns a title as a file name, without suffix, that is valid on every system."""
    words = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', " ", title)
    name = " ".join(words.split())[:_LONGEST_NAME].strip(" .")
    return name or "recording"


def plain(text: str) -> str:
    """Returns a text escaped for Markdown, so that Streamlit shows it unchanged. Escapes no more
    than it must, because screen readers read labels aloud in this form."""
    one_line = " ".join(text.split())
    inline = re.sub(r"([\\`*_\[\]<>$~]|:(?=[^\W\d])|&(?=#?\w+;)|(?<=-)-)", r"\\\1", one_line)
    return re.sub(r"^(\d*)([#+\-=.)])(?= |$)", r"\1\\\2", inline)


def in_badge(text: str) -> str:
    """The same for `st.badge`, which escapes brackets itself."""
    return plain(text).replace("\\[", "[").replace("\\]", "]")


def sentences(text: str) -> str:
    """Returns sentences, such as an error's, escaped for Markdown. They may quote anything that
    strangers wrote; what they have in backticks stays code, which is shown as it is too."""
    parts = re.split(r"(`[^`\n]+`)", text)
    # A space at a part's end would be lost.
    return "".join(
        part if place % 2 else "".join(plain(each) or each for each in re.split(r"(\s+)", part))
        for place, part in enumerate(parts)
    )


def local(moment: datetime, timezone: str | None) -> datetime:
    """The same moment in the reader's time zone."""
    try:
        return moment.astimezone(ZoneInfo(timezone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        return moment
