"""The library in figures: what the dashboard shows."""

from dataclasses import dataclass
from datetime import date, datetime

from echostream_ui.library.analysis import ActionItem


@dataclass(frozen=True, slots=True)
class Week:
    """Completed recordings of one week, given by its Monday (UTC)."""

    monday: date
    recordings: int
    duration_s: float
    positive: int
    neutral: int
    negative: int


@dataclass(frozen=True, slots=True)
class TopicInWeek:
    topic: str
    monday: date
    recordings: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Totals over completed recordings. `topics` are the most frequent ones, week by week."""

    recordings: int
    duration_s: float
    weeks: tuple[Week, ...]
    topics: tuple[TopicInWeek, ...]
    languages: tuple[tuple[str, int], ...]
    open_items: int
    done_items: int


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An action item that is not done. `index` is its position in the analysis."""

    media_id: str
    media_title: str
    created_at: datetime
    index: int
    item: ActionItem
