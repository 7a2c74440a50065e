"""What every store does, be it SQLite or Supabase."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import httpx2 as httpx
import pytest

from frontend.store import (
    MARK_END,
    MARK_START,
    ActionItem,
    Facets,
    OpenItem,
    Overview,
    Page,
    Query,
    TopicInWeek,
    Week,
)
from recordings import MONDAY, answer, fill, media

UNICODE = "Größe „98 %“ \\ 'x' \"y\" 日本語 🎙️ a\u0301 <b>&amp;</b>"


def ids(page: Page) -> list[str]:
    return [row.media.id for row in page.rows]


def found(store, text: str, **more) -> list[str]:
    return ids(store.search(Query(text, **more)))


# Recordings and analyses


def test_a_recording_comes_back_as_it_was_added(store):
    whole = media(
        title=UNICODE,
        source="url",
        source_name="https://example.com/a?b=c&d=%20",
        size_bytes=5_000_000_000,
        duration_s=0.1,
        language="de",
        tags=("b", "a,b", '"q"', UNICODE),
        state="failed",
        job_id="job_1",
        error="fetch_failed",
        message="It is gone.",
    )
    request = {"model": "base", "nested": {"z": [1, 2.5, None, True], "a": UNICODE}}
    store.add(whole, request)
    assert store.media("m1") == whole
    analysis = store.analysis("m1")
    assert analysis.request == request
    assert list(analysis.request["nested"]) == ["z", "a"]
    assert analysis.response is analysis.insights is None
    assert (analysis.edits, analysis.speakers, analysis.action_items) == ({}, {}, ())


def test_what_is_not_there_is_none_and_is_passed_over(store, tmp_path):
    assert store.media("nothing") is None
    assert store.analysis("nothing") is None
    assert store.audio("nothing") is None
    store.update_media("nothing", title="x")
    store.update_analysis("nothing", edits={1: "x"})
    store.complete("nothing", answer())
    store.tag(["nothing"], ["x"], [])
    store.delete(["nothing"])
    assert store.search(Query()) == Page((), 0)


def test_adding_an_id_again_changes_nothing(store):
    store.add(media(title="first"), {"n": 1})
    store.update_media("m1", state="active")
    store.add(media(title="second"), {"n": 2})
    assert store.media("m1") == media(title="first", state="active")
    assert store.analysis("m1").request == {"n": 1}


def test_fields_of_a_recording_are_changed(store):
    store.add(media(), {})
    store.update_media("m1", state="failed", error="x", message=UNICODE, job_id="j", tags=("t",))
    assert store.media("m1") == media(
        state="failed", error="x", message=UNICODE, job_id="j", tags=("t",)
    )
    store.update_media("m1", error=None, message=None, tags=(), title=UNICODE)
    changed = store.media("m1")
    assert (changed.error, changed.message, changed.tags) == (None, None, ())
    assert changed.title == UNICODE
    later = MONDAY + timedelta(hours=3)
    store.update_media("m1", created_at=later)
    assert store.media("m1").created_at == later


def test_times_are_the_same_instant_whatever_their_zone(store):
    east = datetime(2026, 11, 2, 0, 30, tzinfo=timezone(timedelta(hours=2)))  # Sunday in UTC
    store.add(media("east", created_at=east), {})
    store.add(media("utc", created_at=datetime(2026, 11, 1, 23, 0, tzinfo=UTC)), {})
    assert store.media("east").created_at == east
    assert found(store, "") == ["utc", "east"]
    assert found(store, "", until=date(2026, 11, 1)) == ["utc", "east"]
    assert [each.id for each in store.unfinished()] == ["east", "utc"]


# Completing


def test_an_answer_is_kept_with_all_that_follows_from_it(store):
    store.add(media(state="active", job_id="job_1"), {})
    given = answer(
        UNICODE, title=" The\n plan ", topics=("budget",), sentiment="positive", items=("Write",)
    )
    store.complete("m1", given)
    assert store.media("m1") == media(
        title="The plan", duration_s=60.5, language="en", state="completed"
    )
    analysis = store.analysis("m1")
    assert analysis.response == given
    assert list(analysis.response) == list(given)
    assert analysis.insights == given["insights"]
    assert analysis.action_items == (ActionItem("Write", "Ada", None, False, (0,)),)
    (row,) = store.search(Query()).rows
    assert (row.topics, row.sentiment, row.sentiment_score) == (("budget",), "positive", 0.25)
    assert row.excerpt is None


def test_completing_again_keeps_what_the_user_did(store):
    fill(store, "m1", "one", title="Suggested", items=("Write",))
    done = (ActionItem("Write", done=True),)
    store.update_media("m1", title="Mine", state="active", job_id="j")
    store.update_analysis("m1", edits={0: "two"}, action_items=done)
    store.complete("m1", answer("three", title="Another"))
    kept = store.media("m1")
    assert (kept.title, kept.state, kept.job_id) == ("Mine", "completed", None)
    assert store.analysis("m1").action_items == done
    assert store.analysis("m1").response["transcript"] == "one"
    assert found(store, "two") == ["m1"]
    assert found(store, "three") == []


def test_a_title_of_the_users_own_stays(store):
    store.add(media(title="Mine"), {})
    store.complete("m1", answer(title="Suggested"))
    assert store.media("m1").title == "Mine"


def test_a_failed_recording_that_completes_has_no_error_left(store):
    store.add(media(state="failed", error="x", message="y", job_id="j"), {})
    store.complete("m1", answer())
    assert store.media("m1") == media(state="completed", duration_s=60.5, language="en")


def test_an_answer_without_insights_is_enough(store):
    store.add(media(), {})
    store.complete("m1", {"segments": [], "insights": None})
    assert store.media("m1") == media(state="completed")
    assert store.analysis("m1").insights is None
    (row,) = store.search(Query()).rows
    assert (row.topics, row.sentiment, row.sentiment_score) == ((), None, None)


# What the user changes


def test_edits_speakers_and_action_items_are_kept(store):
    fill(store, "m1", "one", "two")
    items = (
        ActionItem(UNICODE, "Ada", "Friday", True, (1, 0)),
        ActionItem("plain"),
    )
    store.update_analysis("m1", edits={1: UNICODE}, speakers={"S2": "Bo", "S1": "Ada"})
    store.update_analysis("m1", action_items=items)
    analysis = store.analysis("m1")
    assert analysis.edits == {1: UNICODE}
    assert list(analysis.speakers.items()) == [("S2", "Bo"), ("S1", "Ada")]
    assert analysis.action_items == items
    assert analysis.response["segments"][1]["text"] == " two"


def test_newer_insights_take_their_topics_and_sentiment_along(store):
    fill(store, "m1", topics=("old",), sentiment="negative")
    newer = answer(topics=("new", "newer"), sentiment="positive")["insights"]
    store.update_analysis("m1", insights=newer)
    (row,) = store.search(Query()).rows
    assert (row.topics, row.sentiment) == (("new", "newer"), "positive")
    store.update_analysis("m1", insights=None)
    (row,) = store.search(Query()).rows
    assert (row.topics, row.sentiment, row.sentiment_score) == ((), None, None)
    assert store.analysis("m1").insights is None


def test_edited_text_is_found_and_the_old_is_not(store):
    fill(store, "m1", "alpha beta", "gamma")
    store.update_analysis("m1", edits={0: "delta"})
    assert found(store, "delta gamma") == ["m1"]
    assert found(store, "alpha") == []
    store.update_analysis("m1", edits={})
    assert found(store, "alpha") == ["m1"]
    assert found(store, "delta") == []


def test_a_new_title_is_found_and_the_old_is_not(store):
    fill(store, "m1", name="alpha.mp3")
    store.update_media("m1", title="beta")
    assert found(store, "alpha") == []
    assert found(store, "beta") == ["m1"]


def test_tags_are_added_and_removed_in_order(store):
    for media_id in ("m1", "m2"):
        store.add(media(media_id, tags=("x", "y")), {})
    store.tag(["m1", "m2", "nothing"], ["z", "x", UNICODE, "gone"], ["y", "gone"])
    assert store.media("m1").tags == store.media("m2").tags == ("x", "z", UNICODE)
    store.tag(["m1"], [], ["x", "z", UNICODE])
    assert store.media("m1").tags == ()
    assert store.media("m2").tags == ("x", "z", UNICODE)
    store.tag([], ["q"], [])


# Searching


@pytest.fixture
def talks(store):
    fill(store, "cafe", "We met in the Café Zürich.", "It's an e-mail from foo.bar@example.com.")
    fill(store, "cats", "Cats and dogs", "100% of the cats", name="pets_2026-11-02.mp3")
    fill(
        store, "code", "The C++ program says 3e5x.", "日本語 テスト", "naïve ﬁle", name="Łódź x.wav"
    )
    return store


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cats", {"cats"}),
        ("CAT", {"cats"}),  # the beginning of a word, in any case
        ("ats", set()),  # but not its end
        ("cat dog", {"cats"}),  # every word
        ("cat zürich", set()),
        ("pets dogs", {"cats"}),  # of title and transcript together
        ("cafe", {"cafe"}),
        ("CAFÉ", {"cafe"}),
        ("zurich", {"cafe"}),
        ("Zu\u0308rich", {"cafe"}),
        ("naive", {"code"}),
        ("foo", {"cafe"}),  # parts of addresses, names of files and joined words
        ("bar example", {"cafe"}),
        ("mail", {"cafe"}),
        ("e-mail", {"cafe"}),
        ("it's", {"cafe"}),
        ("2026-11", {"cats"}),
        ("pets_2026", {"cats"}),
        ("11 pets", {"cats"}),
        ("3e5", {"code"}),
        ("日本", {"code"}),
        ("łódź", {"code"}),
        ("100%", {"cats"}),
        ("%", set()),
        ("_", set()),
        ("***", set()),
        ('"', set()),
        ("'; drop table media; --", set()),
        ('"cats" AND', {"cats"}),  # nothing is an operator
        ("cats | dogs & !", {"cats"}),
        ("NEAR(cats dogs)", set()),
        ("cats:* (", {"cats"}),
        ("cats\\", {"cats"}),
        ("title:cats", set()),
        ("and", {"cats"}),  # and no word is left out
        ("the", {"cafe", "cats", "code"}),
        ("   ", {"cafe", "cats", "code"}),
        ("\n\t", {"cafe", "cats", "code"}),
        ("nothing", set()),
    ],
)
def test_words_are_found(talks, text, expected):
    page = talks.search(Query(text))
    assert set(ids(page)) == expected
    assert page.total == len(expected)


def test_excerpts_mark_what_was_found(store):
    long = "Lorem ipsum dolor sit amet. " * 40
    fill(store, "m1", f"{long}Then the Café opened, and cafes closed. {long}", name="talk.mp3")
    (row,) = store.search(Query("cafe clos")).rows
    assert f"{MARK_START}Café{MARK_END} opened, and {MARK_START}cafes{MARK_END}" in row.excerpt
    assert f"{MARK_START}closed{MARK_END}." in row.excerpt
    assert row.excerpt.startswith("…")
    assert row.excerpt.endswith("…")
    assert len(row.excerpt) < 300
    assert row.excerpt.count(MARK_START) == row.excerpt.count(MARK_END) == 3


def test_an_excerpt_of_a_short_text_is_all_of_it(store):
    fill(store, "m1", "<b>Bold</b> & brave_new", name="talk.mp3")
    (row,) = store.search(Query("b")).rows
    mark = f"{MARK_START}{{}}{MARK_END}".format
    assert row.excerpt == f"<{mark('b')}>{mark('Bold')}</{mark('b')}> & {mark('brave')}_new"


def test_what_only_the_title_has_gives_no_excerpt(store):
    fill(store, "m1", "other words", name="budget.mp3")
    (row,) = store.search(Query("budget")).rows
    assert row.excerpt is None


def test_relevance_puts_titles_first_then_what_is_said_more(store):
    fill(store, "rarely", "tea " + "and other words " * 30, day=3)
    fill(store, "often", "tea tea tea " + "and other words " * 30, day=2)
    fill(store, "titled", "something else", name="tea.mp3", day=1)
    assert found(store, "tea", sort="relevance") == ["titled", "often", "rarely"]
    assert found(store, "tea", sort="created_at") == ["rarely", "often", "titled"]
    assert found(store, "", sort="relevance") == ["rarely", "often", "titled"]
    assert found(store, "", sort="relevance", descending=False) == ["titled", "often", "rarely"]


@pytest.fixture
def meetings(store):
    fill(store, "a", day=0, topics=("budget", "hiring"), sentiment="positive", tags=("x",))
    fill(store, "b", day=1, topics=("budget",), sentiment="negative", tags=("y", "x"))
    fill(store, "c", day=8, topics=("design",), language="de", tags=("z",))
    store.add(media("d", created_at=MONDAY + timedelta(days=9), tags=("z,1",)), {})
    return store


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "dcba"),
        ({"languages": ("de",)}, "c"),
        ({"languages": ("de", "en")}, "cba"),
        ({"states": ("waiting",)}, "d"),
        ({"states": ("waiting", "completed")}, "dcba"),
        ({"sentiments": ("positive", "neutral")}, "ca"),
        ({"tags": ("x",)}, "ba"),
        ({"tags": ("y", "z")}, "cb"),
        ({"tags": ("z,1",)}, "d"),
        ({"tags": ("nothing",)}, ""),
        ({"topics": ("hiring", "design")}, "ca"),
        ({"topics": ("budget",), "tags": ("y",)}, "b"),
        ({"since": date(2026, 11, 3)}, "dcb"),
        ({"until": date(2026, 11, 3)}, "ba"),
        ({"since": date(2026, 11, 3), "until": date(2026, 11, 10)}, "cb"),
        ({"text": "morning", "languages": ("en",)}, "ba"),
        ({"text": "evening", "languages": ("en",)}, ""),
    ],
)
def test_filters_are_applied_together(meetings, filters, expected):
    page = meetings.search(Query(**filters))
    assert "".join(ids(page)) == expected
    assert page.total == len(expected)


def test_the_order_has_nothing_last_and_ids_where_all_else_is_equal(store):
    for media_id, title, duration_s in [
        ("1", "b", 5.0), ("2", "B", None), ("3", "a", 70.0), ("4", "Z", 5.0), ("5", "é", None)
    ]:  # fmt: skip
        store.add(media(media_id, title=title, duration_s=duration_s), {})

    def order(**how) -> str:
        return "".join(ids(store.search(Query(**how))))

    assert order(sort="title", descending=False) == "31245"
    assert order(sort="title", descending=True) == "54123"
    assert order(sort="duration_s", descending=False) == "14325"
    assert order(sort="duration_s", descending=True) == "31425"
    assert order(sort="created_at", descending=False) == "12345"
    assert order(sort="created_at", descending=True) == "12345"


def test_pages_have_the_total_of_all(store):
    for number in range(7):
        store.add(media(f"m{number}", created_at=MONDAY + timedelta(seconds=number)), {})
    pages = [store.search(Query(limit=3, offset=offset)) for offset in (0, 3, 6, 9)]
    assert [ids(page) for page in pages] == [
        ["m6", "m5", "m4"],
        ["m3", "m2", "m1"],
        ["m0"],
        [],
    ]
    assert [page.total for page in pages] == [7, 7, 7, 7]


def test_text_that_no_database_takes_does_no_harm(store):
    store.add(media(title="nul \x00 and half \ud83d."), {"prompt": "\ud83d"})
    store.tag(["m1"], ["\ud83d"], [])
    store.update_analysis("m1", edits={0: "\ud83d"}, speakers={"a": "\x00"})
    fill(store, "m2", "nul \x00 and half \ud83d of it", topics=("\x00",))
    assert set(found(store, "half")) == {"m1", "m2"}


# Overviews


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


# Audio


def content(audio) -> bytes:
    return httpx.get(audio).content if isinstance(audio, str) else audio.read_bytes()


@pytest.mark.parametrize("name", ["talk.MP3", "talk", "talk.tar.gz", "a.b c"])
def test_audio_is_taken_over(store, tmp_path, name):
    store.add(media(), {})
    assert store.audio("m1") is None
    path = tmp_path / name
    path.write_bytes(b"sound")
    store.keep_audio("m1", path)
    assert not path.exists()
    assert content(store.audio("m1")) == b"sound"


def test_audio_that_is_kept_again_takes_the_place_of_the_old(store, tmp_path):
    store.add(media(), {})
    for name, sound in [("a.wav", b"one"), ("a.wav", b"two"), ("a.mp3", b"three")]:
        path = tmp_path / name
        path.write_bytes(sound)
        store.keep_audio("m1", path)
        assert content(store.audio("m1")) == sound


def test_deleting_takes_everything_along(store, tmp_path):
    for media_id in ("m1", "m2", "m3"):
        fill(store, media_id, "word")
        path = tmp_path / "a.wav"
        path.write_bytes(media_id.encode())
        store.keep_audio(media_id, path)
    store.delete(["m1", "m3", "nothing"])
    assert store.media("m1") is store.analysis("m1") is store.audio("m1") is None
    assert found(store, "word") == ["m2"]
    assert content(store.audio("m2")) == b"m2"
    store.add(media("m1"), {})
    assert store.audio("m1") is None


def test_many_are_deleted_at_once(store):
    many = [f"m{number}" for number in range(230)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda media_id: store.add(media(media_id), {}), many))
    store.delete(many)
    assert store.search(Query()).total == 0


# Threads


def test_threads_share_a_store(store):
    def work(number: int) -> None:
        media_id = f"m{number}"
        fill(store, media_id, f"word{number} common", title=f"Title {number}")
        store.update_analysis(media_id, edits={0: f"edited{number} common"})
        assert found(store, f"edited{number}") == [media_id]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert store.search(Query("common")).total == 24


def test_of_two_answers_at_once_one_is_kept_whole(store):
    store.add(media(), {})
    answers = [answer(f"word{number}", title=f"T{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda given: store.complete("m1", given), answers))
    kept = store.analysis("m1").response
    assert kept in answers
    assert store.media("m1").title == kept["insights"]["details"]["title"]
    assert found(store, kept["transcript"]) == ["m1"]


def test_tags_given_at_once_are_all_kept(store):
    store.add(media(), {})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.tag(["m1"], [f"t{number}"], []), range(16)))
    assert sorted(store.media("m1").tags) == sorted(f"t{number}" for number in range(16))
