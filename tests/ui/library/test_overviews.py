"""What is told of the whole library, in every store alike."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from echostream_ui.library.analysis import ActionItem
from echostream_ui.library.overview import OpenItem, Overview, TopicInWeek, Week
from echostream_ui.library.search import Facets
from recordings import MONDAY, answer, fill, media


def test_facets_come_by_frequency(meetings):
    assert meetings.facets() == Facets(
        languages=("en", "de"),
        tags=("x", "y", "z", "z,1"),
        topics=("budget", "design", "hiring"),
    )


def test_facets_of_an_empty_library_are_empty(store):
    assert store.facets() == Facets((), (), ())


def test_an_overview_counts_weeks_topics_and_items(meetings):
    items = (ActionItem("open"), ActionItem("done", done=True), ActionItem("open too"))
    meetings.update_analysis("a", action_items=items)
    meetings.update_analysis("d", action_items=items)  # not completed: not counted
    first, second = date(2026, 11, 2), date(2026, 11, 9)
    assert meetings.overview(None) == Overview(
        recordings=3,
        duration_s=181.5,
        weeks=(Week(first, 2, 121.0, 1, 0, 1), Week(second, 1, 60.5, 0, 1, 0)),
        topics=(
            TopicInWeek("budget", first, 2),
            TopicInWeek("design", second, 1),
            TopicInWeek("hiring", first, 1),
        ),
        languages=(("en", 2), ("de", 1)),
        open_items=2,
        done_items=1,
    )
    later = meetings.overview(date(2026, 11, 9), topics=1)
    assert (later.recordings, later.weeks[0].monday) == (1, second)
    assert later.topics == (TopicInWeek("design", second, 1),)
    assert meetings.overview(None, topics=1).topics == (TopicInWeek("budget", first, 2),)


def test_an_overview_of_nothing_is_zero(store):
    assert store.overview(date(2026, 1, 1)) == Overview(0, 0.0, (), (), (), 0, 0)


def test_weeks_begin_on_monday_in_utc(store):
    for media_id, moment in [
        ("sunday", datetime(2026, 11, 1, 23, 59, 59, 999999, tzinfo=UTC)),
        ("monday", datetime(2026, 11, 2, tzinfo=UTC)),
        ("next sunday", datetime(2026, 11, 8, 23, 59, tzinfo=UTC)),
    ]:
        media_id = media_id.replace(" ", "-")
        store.add(media(media_id, created_at=moment), {})
        store.complete(media_id, answer())
    weeks = store.overview(None).weeks
    assert [(week.monday, week.recordings) for week in weeks] == [
        (date(2026, 10, 26), 1),
        (date(2026, 11, 2), 2),
    ]


def test_open_items_are_those_of_completed_recordings_newest_first(store):
    fill(store, "old", items=("one", "two"), name="Old")
    fill(store, "new", items=("three",), name="New", day=1)
    old = store.analysis("old").action_items
    store.update_analysis("old", action_items=(replace(old[0], done=True), old[1]))
    later = MONDAY + timedelta(days=1)
    assert store.open_items() == [
        OpenItem("new", "New", later, 0, ActionItem("three", "Ada", None, False, (0,))),
        OpenItem("old", "Old", MONDAY, 1, ActionItem("two", "Ada", None, False, (0,))),
    ]
    assert [item.media_id for item in store.open_items(limit=1)] == ["new"]
    store.update_media("new", state="failed")
    assert [item.media_id for item in store.open_items()] == ["old"]


def test_unfinished_recordings_come_oldest_first(store):
    for day, state in enumerate(["failed", "active", "completed", "waiting", "cancelled"]):
        store.add(media(state, state=state, created_at=MONDAY - timedelta(days=day)), {})
    assert [each.id for each in store.unfinished()] == ["waiting", "active"]
