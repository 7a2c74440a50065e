"""Options kept under a name, and results of before: what every store does."""

from dataclasses import replace

from echostream_ui.library.analysis import ActionItem
from echostream_ui.library.presets import Preset
from echostream_ui.library.search import MARK_END, MARK_START, Match, Query
from recordings import answer, fill, found


def test_presets_are_kept_overwritten_and_deleted(store):
    assert store.presets.all() == []
    board = {
        "language": "de",
        "numSpeakers": 3,
        "prompt": "Größe \x00 „98 %“",
        "template": {"a": 1},
    }
    store.presets.keep("Board", board)
    store.presets.keep("Calls", {"language": "en"})
    kept = board | {"prompt": "Größe \ufffd „98 %“"}
    assert store.presets.all() == [Preset("Calls", {"language": "en"}), Preset("Board", kept)]
    store.presets.keep("Board", {"language": "fr"})
    assert store.presets.all()[0] == Preset("Board", {"language": "fr"}), "the last used one"
    assert len(store.presets.all()) == 2
    store.presets.delete("Calls")
    store.presets.delete("Calls")
    assert [preset.name for preset in store.presets.all()] == ["Board"]


def test_newer_results_take_the_place_of_the_old_which_are_kept_whole(store):
    fill(store, "m1", "old words", topics=("budget",), tags=("x",), title="Mine")
    store.update_analysis("m1", edits={0: "edited words"}, speakers={"A": "Ada"})
    old, media = store.analysis("m1"), store.media("m1")
    response = answer("new words", topics=("hiring",), language="de", duration_s=61.0)
    response |= {"engine": "whisper", "model": "small"}
    items = (ActionItem("Write", done=True),)
    new = replace(
        old, request={"model": "small"}, response=response, insights=response["insights"],
        edits={}, speakers={"B": "Ada"}, action_items=items,
    )  # fmt: skip
    store.versions.replace(new)
    assert store.analysis("m1") == new
    assert store.media("m1") == replace(media, language="de", duration_s=61.0)
    assert found(store, "new") == ["m1"]
    assert found(store, "edited") == found(store, "old") == []
    assert store.facets().topics == ("hiring",)
    [version] = store.versions.all("m1")
    assert (version.engine, version.model, version.edits) == (None, None, 1)
    assert store.versions.read("m1", version.id) == old

    store.versions.replace(old, version.id)  # going back
    assert store.analysis("m1") == old
    assert store.media("m1") == media
    assert found(store, "edited") == ["m1"]
    [version] = store.versions.all("m1")
    assert (version.engine, version.model, version.edits) == ("whisper", "small", 0)
    assert store.versions.read("m1", version.id) == new


def test_a_search_leads_to_the_lines_of_the_results_that_are_shown(store):
    fill(store, "m1", "first", "the budget")
    old = store.analysis("m1")
    response = answer("one", "two", "three", "a new budget")
    store.versions.replace(replace(old, response=response, edits={1: "two\nlines"}))
    new = (Match(6.0, f"a new {MARK_START}budget{MARK_END}"),)
    assert store.matches("m1", "budget") == new
    [row] = store.search(Query("budget")).rows
    assert row.matches == new
    [version] = store.versions.all("m1")
    store.versions.replace(old, version.id)  # going back
    assert [match.start_s for match in store.matches("m1", "budget")] == [2.0]


def test_versions_are_of_one_recording_and_go_with_it(store):
    fill(store, "m1", "one")
    fill(store, "m2", "two")
    store.versions.replace(replace(store.analysis("m1"), response=answer("other")))
    [version] = store.versions.all("m1")
    assert store.versions.all("m2") == []
    assert store.versions.read("m2", version.id) is store.versions.read("m1", "none") is None
    present = store.analysis("m2")
    store.versions.replace(present, version.id)
    assert [each.id for each in store.versions.all("m1")] == [version.id]
    store.delete(["m1"])
    assert store.versions.all("m1") == []
    store.versions.replace(present.__class__("m1", {}, answer("late")))  # deleted meanwhile
    assert store.media("m1") is store.analysis("m1") is None
    assert store.versions.all("m1") == []


def test_another_user_has_neither(signed_in):
    mine, other = signed_in(), signed_in()
    fill(mine, "m1", "secret")
    mine.presets.keep("Board", {"prompt": "secret"})
    mine.versions.replace(replace(mine.analysis("m1"), response=answer("newer")))
    [version] = mine.versions.all("m1")
    assert other.presets.all() == other.versions.all("m1") == []
    assert other.versions.read("m1", version.id) is None
    other.presets.keep("Board", {})
    other.presets.delete("Board")
    other.versions.replace(mine.analysis("m1"), version.id)
    assert mine.presets.all() == [Preset("Board", {"prompt": "secret"})]
    assert mine.versions.all("m1") == [version]
