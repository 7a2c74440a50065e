"""Searching, filtering and paging, in every store alike."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from echostream_ui.library.search import MARK_END, MARK_START, NO_FOLDER, Match, Query
from recordings import MONDAY, answer, fill, found, ids, media


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


def mark(text: str) -> str:
    return text.replace("[", MARK_START).replace("]", MARK_END)


def test_every_line_that_matches_has_its_time_and_marks(store):
    lines = (
        "Then the Café opened.",
        "Nobody came.",
        "Two cafes closed.",
        "<b>Cafés</b> & more_cafe",
    )
    fill(store, "m1", *lines, name="talk.mp3")
    (row,) = store.search(Query("cafe")).rows
    assert row.matches == store.matches("m1", "cafe")
    assert row.matches == (
        Match(0.0, mark("Then the [Café] opened.")),
        Match(4.0, mark("Two [cafes] closed.")),
        Match(6.0, mark("<b>[Cafés]</b> & more_[cafe]")),
    )
    assert row.all_matches == 3


def test_a_search_gives_the_lines_with_the_most_of_its_words(store):
    few = ("The plan.", "The budget of the year", "The end", "the the the", "A Budget, the new one")
    fill(store, "m1", *few, name="talk.mp3")
    (row,) = store.search(Query("the budg")).rows
    assert [match.start_s for match in row.matches] == [0.0, 2.0, 8.0]
    assert row.all_matches == 5
    assert [match.start_s for match in store.matches("m1", "the budg")] == [0.0, 2.0, 4.0, 6.0, 8.0]


def test_matches_follow_the_users_edits(store):
    fill(store, "m1", "one", "two", "three", "four", name="talk.mp3")
    store.update_analysis("m1", edits={0: " ", 1: "zwei\nword", 3: "word"})
    assert store.matches("m1", "word") == (Match(2.0, mark("[word]")), Match(6.0, mark("[word]")))
    store.update_analysis("m1", edits={})
    assert store.matches("m1", "word") == ()
    assert store.matches("m1", "two four") == (
        Match(2.0, mark("[two]")),
        Match(6.0, mark("[four]")),
    )


def test_what_only_the_title_has_gives_no_match(store):
    fill(store, "m1", "other words", name="budget.mp3")
    (row,) = store.search(Query("budget")).rows
    assert (row.matches, row.all_matches) == ((), 0)
    assert (
        store.matches("m1", "budget")
        == store.matches("gone", "x")
        == store.matches("m1", "%")
        == ()
    )


def test_relevance_puts_titles_first_then_what_is_said_more(store):
    fill(store, "rarely", "tea " + "and other words " * 30, day=3)
    fill(store, "often", "tea tea tea " + "and other words " * 30, day=2)
    fill(store, "titled", "something else", name="tea.mp3", day=1)
    assert found(store, "tea", sort="relevance") == ["titled", "often", "rarely"]
    assert found(store, "tea", sort="created_at") == ["rarely", "often", "titled"]
    assert found(store, "", sort="relevance") == ["rarely", "often", "titled"]
    assert found(store, "", sort="relevance", descending=False) == ["titled", "often", "rarely"]


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


@pytest.mark.parametrize(
    ("zone", "days", "expected"),
    [
        ("UTC", (2, 2), "a"),
        ("Asia/Tokyo", (2, 2), "a"),  # Monday 9:30 in London is Monday evening there
        ("Pacific/Honolulu", (1, 1), "a"),  # and late on Sunday there
        ("Pacific/Honolulu", (2, 2), "b"),
        ("Pacific/Honolulu", (2, None), "bcd"),
        ("Asia/Tokyo", (None, 2), "a"),
    ],
)
def test_a_day_is_one_of_the_users(meetings, zone, days, expected):
    since, until = (date(2026, 11, day) if day else None for day in days)
    query = Query(since=since, until=until, timezone=ZoneInfo(zone), descending=False)
    assert "".join(ids(meetings.search(query))) == expected


def test_a_folder_is_a_filter_like_the_others(meetings):
    folder = meetings.folders.add("Team")
    meetings.folders.move(["a", "b"], folder)
    assert found(meetings, "", folder=folder) == ["b", "a"]
    assert found(meetings, "", folder=folder, tags=("y",)) == ["b"]
    assert found(meetings, "morning", folder=NO_FOLDER) == ["c"]
    assert found(meetings, "", folder="gone") == []


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


def test_a_recording_with_a_title_is_found_by_its_source_too(store):
    address = "https://example.com/talks/Interview_07.m4a"
    store.add(media("named", source_name=address), {})
    store.update_media("named", title="A talk with Ada")
    store.complete("named", answer("Good morning."))
    for text in ("interview", "interview 07 ada", "m4a", "interview morning"):
        assert found(store, text) == ["named"]
    assert store.search(Query("interview")).rows[0].matches == ()
    store.update_analysis("named", edits={0: "Good evening."})
    assert found(store, "interview evening") == ["named"]
