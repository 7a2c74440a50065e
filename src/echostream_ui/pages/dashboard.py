"""All recordings together: hours, topics, sentiment, languages and open action items."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import altair as alt
import pandas as pd
import streamlit as st

from echostream_ui.components.going import link
from echostream_ui.library.overview import OpenItem, Overview
from echostream_ui.library.store import Store
from echostream_ui.pages.session import current_store
from echostream_ui.words.languages import language_name
from echostream_ui.words.wording import SENTIMENT_WORDS, hours, iso_day, plain

PERIODS = {"30 days": 30, "90 days": 90, "A year": 365, "All": None}
MOODS = {"Positive": "#2e9e6b", "Neutral": "#9aa5b1", "Negative": "#d1605e"}
BAR = "#3b7dd8"
_ITEMS, _MANY_ITEMS = 15, 200
_HEIGHT = 220
_ROW, _AXIS = 30, 70
"""Pixels of a bar with its distance, and of all below the bars."""


def main() -> None:
    store = current_store()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Dashboard", anchor=False)
        period = st.segmented_control(
            "Period",
            list(PERIODS),
            default="90 days",
            required=True,
            key="dashboard_period",
            persist_state="session",
        )
    days = PERIODS[period or "All"]
    since = datetime.now(UTC).date() - timedelta(days=days) if days else None
    found = store.overview(since)
    if not found.recordings:
        show_nothing(is_period=bool(since and store.overview(None).recordings))
        return
    show_totals(found)
    weeks = week_axis(found, since)
    left, right = st.columns(2)
    with left:
        show_hours(found, weeks)
    with right:
        show_topics(found, weeks)
    left, right = st.columns(2)
    with left:
        show_mood(found, weeks)
    with right:
        show_languages(found)
    show_items(store)


def show_nothing(*, is_period: bool) -> None:
    with st.container(border=True):
        if is_period:
            st.write("There are no recordings in this period. Choose a longer one, or add some.")
        else:
            st.write("What your recordings have in common appears here once there are some.")
        link("add.py", "Add recordings", key="add", icon=":material/add_circle:", kind="primary")


def show_totals(found: Overview) -> None:
    judged = sum(week.positive + week.neutral + week.negative for week in found.weeks)
    positive = sum(week.positive for week in found.weeks)
    with st.container(horizontal=True, key="dashboard_totals"):
        st.metric("Recordings", f"{found.recordings:,}", border=True)
        st.metric("Recorded", hours(found.duration_s), border=True)
        st.metric("Open action items", f"{found.open_items:,}", border=True)
        st.metric("Action items done", f"{found.done_items:,}", border=True)
        st.metric("Positive recordings", f"{positive / judged:.0%}" if judged else "–", border=True)


def card(question: str) -> "st.delta_generator.DeltaGenerator":
    box = st.container(border=True, height="stretch")
    box.markdown(f"**{question}**")
    return box


def week_axis(found: Overview, since: date | None) -> alt.X:
    """Returns an axis of all weeks of the period, including those without a recording."""
    first = (since - timedelta(days=since.weekday())) if since else found.weeks[0].monday
    mondays = pd.date_range(first, datetime.now(UTC).date(), freq="7D")
    return alt.X(
        "week:N",
        title="Week of",
        scale=alt.Scale(domain=[name_of(monday) for monday in mondays]),
        axis=alt.Axis(labelAngle=0, labelOverlap=True),
    )


def name_of(monday: date) -> str:
    return f"{monday:%-d %b %Y}"


def show_hours(found: Overview, weeks: alt.X) -> None:
    unit, seconds = ("Hours", 3600) if found.duration_s > 2 * 3600 else ("Minutes", 60)
    frame = pd.DataFrame(
        {
            "week": [name_of(week.monday) for week in found.weeks],
            unit: [week.duration_s / seconds for week in found.weeks],
            "Recordings": [week.recordings for week in found.weeks],
        }
    )
    chart = (
        alt.Chart(frame)
        .mark_bar(color=BAR)
        .encode(
            weeks,
            alt.Y(f"{unit}:Q"),
            tooltip=[
                alt.Tooltip("week:N", title="Week of"),
                "Recordings:Q",
                alt.Tooltip(f"{unit}:Q", format=".1f"),
            ],
        )
    )
    card("How much was recorded?").altair_chart(
        chart, height=_HEIGHT, alt=f"{unit} recorded, week by week"
    )


def show_topics(found: Overview, weeks: alt.X) -> None:
    box = card("What was talked about?")
    if not found.topics:
        box.caption("No topics were found yet.")
        return
    frame = pd.DataFrame(
        {
            "week": [name_of(one.monday) for one in found.topics],
            "topic": [one.topic for one in found.topics],
            "recordings": [one.recordings for one in found.topics],
        }
    )
    order = list(dict.fromkeys(one.topic for one in found.topics))
    chart = (
        alt.Chart(frame)
        .mark_circle(color=BAR)
        .encode(
            weeks,
            alt.Y("topic:N", title=None, sort=order, axis=alt.Axis(labelLimit=160)),
            alt.Size("recordings:Q", title="Recordings", legend=None),
            tooltip=[
                alt.Tooltip("topic:N", title="Topic"),
                alt.Tooltip("week:N", title="Week of"),
                alt.Tooltip("recordings:Q", title="Recordings"),
            ],
        )
    )
    box.altair_chart(chart, height=_HEIGHT, alt="Recordings that touch each topic, week by week")


def show_mood(found: Overview, weeks: alt.X) -> None:
    box = card("How did it sound?")
    rows = [
        (name_of(week.monday), SENTIMENT_WORDS[label], getattr(week, label))
        for week in found.weeks
        for label in SENTIMENT_WORDS
        if getattr(week, label)
    ]
    if not rows:
        box.caption("No recording has been judged yet.")
        return
    frame = pd.DataFrame(rows, columns=["week", "mood", "recordings"])
    chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            weeks,
            alt.Y("recordings:Q", stack="normalize", title="Share", axis=alt.Axis(format="%")),
            alt.Color(
                "mood:N",
                title=None,
                scale=alt.Scale(domain=list(MOODS), range=list(MOODS.values())),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=[
                alt.Tooltip("week:N", title="Week of"),
                alt.Tooltip("mood:N", title="Sentiment"),
                alt.Tooltip("recordings:Q", title="Recordings"),
            ],
        )
    )
    box.altair_chart(
        chart, height=_HEIGHT, alt="Share of positive, neutral and negative recordings by week"
    )


def show_languages(found: Overview) -> None:
    box = card("In which languages?")
    if not found.languages:
        box.caption("No language was found yet.")
        return
    shown = found.languages[:8]
    frame = pd.DataFrame(
        {
            "language": [language_name(code) for code, _ in shown],
            "recordings": [number for _, number in shown],
        }
    )
    chart = (
        alt.Chart(frame)
        .mark_bar(color=BAR)
        .encode(
            alt.X("recordings:Q", title="Recordings", axis=alt.Axis(tickMinStep=1, format="d")),
            alt.Y("language:N", title=None, sort=None),
            tooltip=[
                alt.Tooltip("language:N", title="Language"),
                alt.Tooltip("recordings:Q", title="Recordings"),
            ],
        )
    )
    height = len(shown) * _ROW + _AXIS
    box.altair_chart(chart, height=height, alt="Recordings in each language")


def show_items(store: Store) -> None:
    """Shows the open action items of all recordings. They can be ticked off here too."""
    st.header("Still to do", anchor=False)
    wanted = _MANY_ITEMS if st.session_state.get("dashboard_all_items") else _ITEMS
    items = store.open_items(wanted + 1)
    if not items:
        st.caption("No open action items.")
        return
    for one in items[:wanted]:
        show_item(store, one)
    if len(items) > wanted == _ITEMS:
        st.button("Show more", on_click=show_more)
    elif len(items) > wanted:
        st.caption(f"These are the newest {wanted}.")


def show_item(store: Store, one: OpenItem) -> None:
    item = one.item
    due_day = iso_day(item.due_date) if item.due_date else None
    by_whom = " · ".join(plain(part) for part in (item.owner, item.due, due_day) if part)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.checkbox(
            plain(one.item.text),
            key=f"item_{one.media_id}_{one.index}_{one.item.text}",
            on_change=tick_off,
            args=(store, one),
        )
        st.caption(by_whom, width="stretch")
        st.page_link(
            "recording.py",
            label=plain(one.media_title),
            icon=":material/play_circle:",
            query_params={"id": one.media_id},
        )


def show_more() -> None:
    st.session_state["dashboard_all_items"] = True


def tick_off(store: Store, ticked: OpenItem) -> None:
    """Reads the items again first: another page may have changed them meanwhile."""
    analysis = store.analysis(ticked.media_id)
    if analysis is not None:
        items = [
            replace(item, done=True) if item == ticked.item else item
            for item in analysis.action_items
        ]
        store.update_analysis(ticked.media_id, action_items=tuple(items))
        st.toast("Marked as done", icon=":material/task_alt:")


main()
