"""The library: find recordings, open one, or do something with several."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

import streamlit as st

from echostream_ui.components.recordings import Shown, recordings
from echostream_ui.library.store import (
    MARK_END,
    MARK_START,
    SENTIMENTS,
    STATES,
    Facets,
    Query,
    Row,
    Sort,
    Store,
)
from echostream_ui.pages import about, bulk, sample
from echostream_ui.pages.session import current_store
from echostream_ui.words.languages import language_name
from echostream_ui.words.wording import SENTIMENT_WORDS, STATE_WORDS, clock, count, day_and_time

T = TypeVar("T")

ROWS = 50
ORDERS: dict[str, tuple[Sort, bool]] = {
    "Newest first": ("created_at", True),
    "Oldest first": ("created_at", False),
    "Title": ("title", False),
    "Longest first": ("duration_s", True),
    "Shortest first": ("duration_s", False),
    "Best match": ("relevance", True),
}
FILTERS = ("languages", "topics", "tags", "sentiments", "states", "since", "until")
_WATCH_S = 3


def main() -> None:
    store = current_store()
    st.title("Library", anchor=False)
    if not store.search(Query(limit=1)).total:
        show_empty_library(store)
        return
    facets = store.facets()
    query = ask(facets)
    found = store.search(query)
    if not found.total:
        show_no_match()
        return
    table = st.container()
    pages = -(-found.total // ROWS)
    if pages > 1:
        place = st.pagination(pages, key="library_page", persist_state="session")
        if place > pages:  # fewer recordings match now
            place = pages
        if place > 1:
            found = store.search(replace(query, offset=(place - 1) * ROWS))
    with table:
        show_table(store, found.rows, found.total, query, facets)
    watch(store, [media.id for media in store.unfinished()])


def ask(facets: Facets) -> Query:
    """Shows search, order and filters, which are kept while the user is on other pages."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search",
            placeholder="Titles, file names and transcripts",
            key="library_text",
            persist_state="session",
            icon=":material/search:",
            on_change=to_first_page,
        )
        order = st.selectbox(
            "Order",
            list(ORDERS),
            key="library_order",
            persist_state="session",
            width=180,
            on_change=to_first_page,
        )
        with st.popover("Filter", icon=":material/filter_list:"):
            filtered = ask_filters(facets)
    sort, descending = ORDERS[order]
    return replace(filtered, text=text or "", sort=sort, descending=descending, limit=ROWS)


def ask_filters(facets: Facets) -> Query:
    return Query(
        languages=choose("Language", "languages", facets.languages, language_name),
        topics=choose("Topic", "topics", facets.topics),
        tags=choose("Tag", "tags", facets.tags),
        sentiments=choose("Sentiment", "sentiments", SENTIMENTS, SENTIMENT_WORDS.__getitem__),
        states=choose("State", "states", STATES, STATE_WORDS.__getitem__),
        since=day("From", "since"),
        until=day("To", "until"),
    )


def choose(
    label: str, name: str, options: Sequence[T], words: Callable[[T], str] = str
) -> tuple[T, ...]:
    chosen = st.multiselect(
        label,
        options,
        format_func=words,
        key=f"library_{name}",
        persist_state="session",
        on_change=to_first_page,
        placeholder="Any",
    )
    return tuple(chosen)


def day(label: str, name: str) -> date | None:
    return st.date_input(
        label,
        None,
        key=f"library_{name}",
        persist_state="session",
        on_change=to_first_page,
        format="YYYY-MM-DD",
    )


def to_first_page() -> None:
    st.session_state.pop("library_page", None)


def clear() -> None:
    for name in ("text", "page", *FILTERS):
        st.session_state.pop(f"library_{name}", None)


def show_empty_library(store: Store) -> None:
    with st.container(border=True):
        st.header("Nothing here yet", anchor=False)
        st.write("Recordings you add appear here, with their transcript and insights.")
        with st.container(horizontal=True):
            if st.button("Add recordings", type="primary", icon=":material/add_circle:"):
                st.switch_page("add.py")
            if st.button("Record live", icon=":material/mic:"):
                st.switch_page("live.py")
            sample.offer(store)


def show_no_match() -> None:
    with st.container(border=True):
        st.write("No recording matches the search and the filters.")
        st.button("Show all", on_click=clear)


def show_table(store: Store, rows: Sequence[Row], total: int, query: Query, facets: Facets) -> None:
    actions = st.container(horizontal=True, vertical_alignment="center")
    # A new key for other rows: the list then forgets the selection among the old ones.
    shown = hash(tuple(row.media.id for row in rows))
    opened, selected = recordings(
        [row_of(row, st.context.timezone, is_search=bool(query.text.strip())) for row in rows],
        key=f"library_list_{shown}",
    )
    if opened:
        to_words = {"q": opened["query"]} if opened["query"] else {}
        st.switch_page("recording.py", query_params={"id": opened["id"]} | to_words)
    chosen = [row.media for row in rows if row.media.id in selected]
    with actions:
        if chosen:
            bulk.show(store, chosen, facets.tags)
        else:
            st.caption(f"{count(total, 'recording')}.", width="content")
            if st.button("Ask about these", icon=":material/question_answer:"):
                about.ask(about.matching(store, query))


def row_of(row: Row, timezone: str | None, *, is_search: bool) -> Shown:
    """Returns a row of the store as it is shown."""
    media = row.media
    excerpt = tuple(parts_of(row.excerpt)) if row.excerpt else ()
    return Shown(
        id=media.id,
        title=media.title,
        source=media.source_name if media.source_name != media.title else None,
        date=day_and_time(media.created_at, timezone),
        length="–" if media.duration_s is None else clock(media.duration_s),
        language=language_name(media.language) if media.language else "–",
        topics=row.topics,
        sentiment=SENTIMENT_WORDS[row.sentiment] if row.sentiment else "–",
        tags=media.tags,
        state=STATE_WORDS[media.state],
        is_done=media.state == "completed",
        excerpt=excerpt if is_search else (),
        query=next((text for text, is_hit in excerpt if is_hit), ""),
    )


def parts_of(excerpt: str) -> Iterator[tuple[str, bool]]:
    """Yields the parts of an excerpt, each with whether it is a hit."""
    first, *rest = excerpt.split(MARK_START)
    if first:
        yield first, False
    for part in rest:
        hit, _, after = part.partition(MARK_END)
        yield hit, True
        if after:
            yield after, False


@st.fragment(run_every=_WATCH_S)
def watch(store: Store, seen: list[str]) -> None:
    """Reruns the page when the set of unfinished recordings changes."""
    if seen and [media.id for media in store.unfinished()] != seen:
        st.rerun()


main()
