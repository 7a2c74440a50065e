"""What every store does, be it SQLite or Supabase."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone

import httpx2 as httpx
import pytest

from echostream_ui.library.analysis import ActionItem, Bookmark
from echostream_ui.library.search import Page, Query
from recordings import MONDAY, answer, fill, found, media

UNICODE = "Größe „98 %“ \\ 'x' \"y\" 日本語 🎙️ a\u0301 <b>&amp;</b>"


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
    assert analysis.line_speakers == {}


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
    assert row.matches == ()


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


def test_only_a_language_model_gives_a_file_another_title(store):
    for media_id, provider in (("offline", "extractive"), ("model", "local")):
        store.add(media(media_id), {})
        made = answer(title="Suggested")
        made["insights"]["details"]["meta"] = {"provider": provider}
        store.complete(media_id, made)
    assert store.media("offline").title == "talk.mp3"
    assert store.media("model").title == "Suggested"


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
        ActionItem("plain", due_date="2026-11-27", found="as it was found"),
    )
    store.update_analysis("m1", edits={1: UNICODE}, speakers={"S2": "Bo", "S1": "Ada"})
    store.update_analysis("m1", line_speakers={1: UNICODE, 0: "S2"})
    store.update_analysis("m1", action_items=items)
    analysis = store.analysis("m1")
    assert analysis.edits == {1: UNICODE}
    assert list(analysis.speakers.items()) == [("S2", "Bo"), ("S1", "Ada")]
    assert analysis.line_speakers == {1: UNICODE, 0: "S2"}
    assert analysis.action_items == items
    assert analysis.response["segments"][1]["text"] == " two"


def test_bookmarks_are_kept_whatever_else_happens(store):
    store.add(media(), {})
    marked = (Bookmark(0.0), Bookmark(61.25, UNICODE))
    store.update_analysis("m1", bookmarks=marked)
    store.complete("m1", answer("one"))
    store.update_analysis("m1", edits={0: "two"})
    assert store.analysis("m1").bookmarks == marked
    store.update_analysis("m1", bookmarks=())
    assert store.analysis("m1").bookmarks == ()


def test_newer_insights_take_their_topics_and_sentiment_along(store):
    fill(store, "m1", topics=("old",), sentiment="negative")
    newer = answer(topics=("new", "newer"), sentiment="positive")["insights"]
    wanted = {"template": {"name": UNICODE}, "insightsLanguage": None}
    store.update_analysis("m1", insights=newer, request=wanted)
    (row,) = store.search(Query()).rows
    assert (row.topics, row.sentiment) == (("new", "newer"), "positive")
    assert store.analysis("m1").request == wanted
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
    fill(store, "m1")
    for title in ("alpha", "beta"):
        store.update_media("m1", title=title)
        assert found(store, title) == ["m1"]
    assert found(store, "alpha") == []


def test_tags_are_added_and_removed_in_order(store):
    for media_id in ("m1", "m2"):
        store.add(media(media_id, tags=("x", "y")), {})
    store.tag(["m1", "m2", "nothing"], ["z", "x", UNICODE, "gone"], ["y", "gone"])
    assert store.media("m1").tags == store.media("m2").tags == ("x", "z", UNICODE)
    store.tag(["m1"], [], ["x", "z", UNICODE])
    assert store.media("m1").tags == ()
    assert store.media("m2").tags == ("x", "z", UNICODE)
    store.tag([], ["q"], [])


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
        fill(store, media_id, f"word{number:02} common", title=f"Title {number}")
        store.update_analysis(media_id, edits={0: f"edited{number:02} common"})
        assert found(store, f"edited{number:02}") == [media_id]

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
