"""How things are said: lengths, dates, languages, states. All pages say them the same way."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_datetime

from frontend.intake import Progress
from frontend.store import SentimentLabel, State

_ENGLISH = Locale("en", "GB")

_CODES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta "
    "no th ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk "
    "sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb "
    "my bo tl mg as tt haw ln ha ba jw su yue"
)
LANGUAGES = tuple(_CODES.split())
"""Codes of the languages that Whisper knows, the more spoken ones first."""

STATES: dict[State, str] = {
    "waiting": "Waiting",
    "active": "Under way",
    "completed": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
SENTIMENTS: dict[SentimentLabel, str] = {
    "positive": "Positive",
    "neutral": "Neutral",
    "negative": "Negative",
}
STAGES = {
    "waiting": "Waiting for its turn",
    "uploading": "Uploading",
    "queued": "In the queue",
    "transcribing": "Transcribing",
    "saving": "Saving",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])")


def clock(seconds: float) -> str:
    """A place in a recording, or its length: 0:42, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def hours(seconds: float) -> str:
    """A total: 42 min, 3.5 h, 120 h."""
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    total = seconds / 3600
    return f"{total:.1f} h" if total < 100 else f"{total:,.0f} h"


def zone(name: str | None) -> ZoneInfo:
    """The time zone of a browser; UTC where it does not say or nobody knows it."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def moment(time: datetime, zone_name: str | None) -> str:
    """24 Nov 2026, 11:20"""
    local = time.astimezone(zone(zone_name)).replace(tzinfo=None)
    return format_datetime(local, "d MMM y, HH:mm", locale=_ENGLISH)


def day(time: datetime) -> str:
    """2026-11-24, for names of files."""
    return time.astimezone(UTC).date().isoformat()


def language(code: str | None) -> str:
    """The English name of a language, or its code where it has none."""
    if code is None:
        return "–"
    return str(_ENGLISH.languages.get({"jw": "jv"}.get(code, code), code))


def count(number: int, one: str, many: str | None = None) -> str:
    """1 recording, 2 recordings, 10,000 recordings."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def progress(now: Progress, time_s: float) -> str:
    """Transcribing, 63 %; Transcribing, 0:12 so far"""
    said = STAGES[now.stage]
    if now.share is not None:
        return f"{said}, {now.share:.0%}"
    if now.stage == "transcribing":
        return f"{said}, {clock(time_s - now.since)} so far"
    return said


def plain(text: str) -> str:
    """A text of the user's, safe where Streamlit reads Markdown."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
