"""Search, order and filters of the library. They are kept while the user is on other pages, and
saved filters set them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from echostream_ui.finding.periods import ANY, PERIODS, RANGE, days_of
from echostream_ui.library.folders import Folder
from echostream_ui.library.media import STATES
from echostream_ui.library.search import NO_FOLDER, SENTIMENTS, Facets, Query, Sort
from echostream_ui.library.values import Json
from echostream_ui.words.languages import language_name
from echostream_ui.words.wording import SENTIMENT_WORDS, STATE_WORDS

T = TypeVar("T")

ORDERS: dict[str, tuple[Sort, bool]] = {
    "Newest first": ("created_at", True),
    "Oldest first": ("created_at", False),
    "Title": ("title", False),
    "Longest first": ("duration_s", True),
    "Shortest first": ("duration_s", False),
    "Best match": ("relevance", True),
}
ALL = "*"
"""All folders, and what is in none."""

_TIMES = "library_cleared"
_LISTS = ("languages", "topics", "tags", "sentiments", "states")
_DAYS = ("since", "until")
_NAMES = ("text", "order", "folder", *_LISTS, "period", *_DAYS)


def ask(facets: Facets, folders: Sequence[Folder]) -> Query:
    """Shows search, folder, order and filters, in a row that another control may follow."""
    text = st.text_input(
        "Search",
        placeholder="Titles, file names and transcripts",
        key=_key("text"),
        persist_state="session",
        icon=":material/search:",
        on_change=to_first_page,
    )
    folder = _ask_folder(folders)
    order = st.selectbox(
        "Order",
        list(ORDERS),
        key=_key("order"),
        persist_state="session",
        width=170,
        on_change=to_first_page,
    )
    with st.popover("Filter", icon=":material/filter_list:"):
        filtered = _ask_filters(facets)
    sort, descending = ORDERS[order]
    return replace(filtered, text=text or "", folder=folder, sort=sort, descending=descending)


def _ask_folder(folders: Sequence[Folder]) -> str | None:
    if not folders:
        return None
    words = {ALL: "All", NO_FOLDER: "In no folder"}
    words |= {each.id: f"{each.name} ({each.recordings:,})" for each in folders}
    if st.session_state.get(_key("folder"), ALL) not in words:  # it has been deleted
        st.session_state.pop(_key("folder"))
    chosen = st.selectbox(
        "Folder",
        list(words),
        format_func=words.__getitem__,
        key=_key("folder"),
        persist_state="session",
        width=190,
        on_change=to_first_page,
    )
    return None if chosen == ALL else chosen


def _ask_filters(facets: Facets) -> Query:
    period = st.selectbox(
        "Date",
        list(PERIODS),
        format_func=PERIODS.__getitem__,
        key=_key("period"),
        persist_state="session",
        on_change=to_first_page,
    )
    timezone = _timezone()
    since, until = days_of(period, datetime.now(timezone).date())
    if period == RANGE:
        left, right = st.columns(2)
        with left:
            since = _day("From", "since")
        with right:
            until = _day("To", "until")
    return Query(
        languages=_choose("Language", "languages", facets.languages, language_name),
        topics=_choose("Topic", "topics", facets.topics),
        tags=_choose("Tag", "tags", facets.tags),
        sentiments=_choose("Sentiment", "sentiments", SENTIMENTS, SENTIMENT_WORDS.__getitem__),
        states=_choose("State", "states", STATES, STATE_WORDS.__getitem__),
        since=since,
        until=until,
        timezone=timezone,
    )


def _choose(
    label: str, name: str, options: Sequence[T], words: Callable[[T], str] = str
) -> tuple[T, ...]:
    # What is chosen can be taken back, even if no recording has it any more.
    chosen = st.session_state.get(_key(name)) or ()
    return tuple(
        st.multiselect(
            label,
            [*options, *(each for each in chosen if each not in options)],
            format_func=words,
            key=_key(name),
            persist_state="session",
            on_change=to_first_page,
            placeholder="Any",
        )
    )


def _day(label: str, name: str) -> date | None:
    return st.date_input(
        label,
        None,
        key=_key(name),
        persist_state="session",
        on_change=to_first_page,
        format="YYYY-MM-DD",
    )


def _timezone() -> tzinfo:
    """The user's: "today" begins at their midnight."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def to_first_page() -> None:
    st.session_state["library_page"] = 1


def are_set() -> bool:
    """Whether any filter, the search and the folder included, leaves something out."""
    return bool(present().keys() - {"order"})


def clear() -> None:
    """Empties everything but the order, in widgets that are new to the browser: of the old ones, it
    would send what it still has with the next click."""
    nothing: Json = {"text": "", "folder": ALL, "period": ANY}
    nothing["order"] = st.session_state.get(_key("order"), next(iter(ORDERS)))
    st.session_state[_TIMES] = st.session_state.get(_TIMES, 0) + 1
    nothing |= {name: [] for name in _LISTS} | dict.fromkeys(_DAYS)
    for name, value in nothing.items():
        st.session_state[_key(name)] = value
    to_first_page()


def present() -> Json:
    """Returns what is set now, as JSON for `apply`."""
    found = {name: st.session_state.get(_key(name)) for name in _NAMES}
    if found["folder"] == ALL:
        del found["folder"]
    if found["period"] == ANY:
        del found["period"]
    if found.get("period") != RANGE:
        found |= dict.fromkeys(_DAYS)
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in found.items()
        if value or (value == NO_FOLDER and name == "folder")
    }


def apply(choice: Json, folders: Iterable[str]) -> None:
    """Sets what a saved filter says, and nothing else. What this version does not know, and a
    folder that is gone, are left out."""
    clear()
    for name, value in choice.items():
        if (known := _known(name, value, folders)) is not None:
            st.session_state[_key(name)] = known


def _known(name: str, value: Any, folders: Iterable[str]) -> Any:
    fixed: dict[str, Sequence[str]] = {"sentiments": SENTIMENTS, "states": STATES}
    if name in _LISTS and isinstance(value, list):
        allowed = fixed.get(name, value)
        return [each for each in value if isinstance(each, str) and each in allowed]
    if not isinstance(value, str):
        return None
    if name in _DAYS:
        try:
            return date.fromisoformat(value)
        except ValueError:
            return None
    choices: dict[str, Collection[str]] = {
        "order": ORDERS,
        "period": PERIODS,
        "folder": (NO_FOLDER, *folders),
    }
    return value if name == "text" or value in choices.get(name, ()) else None


def _key(name: str) -> str:
    times = st.session_state.get(_TIMES, 0)
    return f"library_{name}_{times}" if times else f"library_{name}"
