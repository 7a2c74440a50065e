"""Folders, saved filters, the bin, and audio that is there already, in every store alike."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from echostream_ui.library.folders import Folder, SavedFilter
from echostream_ui.library.search import Facets, Query
from echostream_ui.library.store import Store, StoreError
from recordings import MONDAY, fill, found, media

ODD = 'Größe, "x" (1) & \\ %'
SOUND = b"a sound"
DIGEST = hashlib.sha256(SOUND).hexdigest()


# Folders


def test_folders_are_listed_by_name_with_what_is_in_them(meetings):
    team, odd, empty = (meetings.folders.add(name) for name in ("team", ODD, "Archive"))
    meetings.folders.move(["a", "b", "nothing"], team)
    meetings.folders.move(["b"], odd)
    meetings.to_bin(["b"])
    assert meetings.folders.all() == [
        Folder(empty, "Archive", 0), Folder(odd, ODD, 0), Folder(team, "team", 1)
    ]  # fmt: skip
    assert meetings.media("a").folder == team
    meetings.folders.move(["a"], None)
    assert meetings.media("a").folder is None


def test_a_folder_that_is_renamed_or_deleted_loses_no_recording(meetings):
    folder = meetings.folders.add("Team")
    meetings.folders.move(["a", "b"], folder)
    before = [meetings.analysis(each) for each in "ab"]
    meetings.folders.rename(folder, ODD)
    assert meetings.folders.all() == [Folder(folder, ODD, 2)]
    meetings.folders.delete(folder)
    assert meetings.folders.all() == []
    assert found(meetings, "") == ["d", "c", "b", "a"]
    assert meetings.media("a").folder is None
    assert [meetings.analysis(each) for each in "ab"] == before


def test_no_two_folders_have_one_name(store):
    first, second = store.folders.add("Größe"), store.folders.add("other")
    for work in (
        lambda: store.folders.add("GRÖßE"),
        lambda: store.folders.rename(second, "größe"),
    ):
        with pytest.raises(StoreError, match="There is a folder with this name"):
            work()
    store.folders.rename(first, "GRÖßE")  # its own name, in another case
    assert [folder.name for folder in store.folders.all()] == ["GRÖßE", "other"]


def test_a_folder_that_is_gone_takes_nothing(store):
    store.add(media(), {})
    with pytest.raises(StoreError, match="The folder has been deleted meanwhile"):
        store.folders.move(["m1"], "gone")
    assert store.media("m1") == media()


# Saved filters


def test_saved_filters_come_back_as_they_were_saved(store):
    choice = {"text": ODD, "tags": ["b", "a"], "folder": ""}
    store.filters.save("weekly", {"text": "x"})
    store.filters.save(ODD, choice)
    store.filters.save("weekly", {"period": "last_7"})  # replaces the first
    assert store.filters.all() == [
        SavedFilter(ODD, choice), SavedFilter("weekly", {"period": "last_7"})
    ]  # fmt: skip
    store.filters.delete(ODD)
    store.filters.delete("nothing")
    assert [each.name for each in store.filters.all()] == ["weekly"]


# The bin


def in_bin(store: Store) -> list[str]:
    return [row.media.id for row in store.search(Query(in_bin=True, sort="deleted_at")).rows]


def test_what_is_in_the_bin_is_nowhere_else(meetings):
    before = meetings.analysis("c"), meetings.media("c")
    meetings.to_bin(["c", "d", "nothing"])
    assert found(meetings, "") == ["b", "a"]
    assert found(meetings, "morning") == ["b", "a"]
    assert meetings.facets() == Facets(("en",), ("x", "y"), ("budget", "hiring"))
    assert meetings.overview(None).recordings == 2
    assert meetings.unfinished() == meetings.open_items() == []
    assert sorted(in_bin(meetings)) == ["c", "d"]
    assert found(meetings, "morning", in_bin=True) == ["c"]
    assert meetings.media("c").deleted_at is not None
    meetings.restore(["c", "d"])
    assert (meetings.analysis("c"), meetings.media("c")) == before
    assert found(meetings, "") == ["d", "c", "b", "a"]
    assert [each.id for each in meetings.unfinished()] == ["d"]
    assert in_bin(meetings) == []


def test_the_bin_knows_since_when(store):
    for media_id in "abc":
        store.add(media(media_id), {})
    store.update_media("a", deleted_at=MONDAY)
    store.update_media("b", deleted_at=MONDAY + timedelta(days=1))
    store.to_bin(["a"])  # it stays there as it is
    assert store.media("a").deleted_at == MONDAY
    assert in_bin(store) == ["b", "a"]
    assert store.in_bin_since(MONDAY) == ["a"]
    assert store.in_bin_since(MONDAY - timedelta(seconds=1)) == []
    assert sorted(store.in_bin_since(datetime.now(UTC))) == ["a", "b"]


def test_audio_stays_in_the_bin_and_goes_with_it(store, tmp_path):
    fill(store, "m1")
    keep_audio(store, tmp_path, "m1")
    store.to_bin(["m1"])
    assert store.audio("m1") is not None
    store.delete(["m1"])
    assert store.media("m1") is store.audio("m1") is None
    assert in_bin(store) == []


# The same audio


def keep_audio(store: Store, folder: Path, media_id: str, sound: bytes = SOUND) -> None:
    path = folder / "talk.wav"
    path.write_bytes(sound)
    store.keep_audio(media_id, path)


def test_the_same_audio_is_known_whatever_it_is_called(store):
    for day, media_id in enumerate(("old", "new", "binned")):
        store.add(media(media_id, sha256=DIGEST, created_at=MONDAY + timedelta(days=day)), {})
    store.add(media("other", sha256="0" * 64), {})
    store.to_bin(["binned"])
    assert store.same_audio(DIGEST, len(SOUND)).id == "new"
    assert store.same_audio("1" * 64, 5) is None


def test_audio_of_before_gets_its_digest_when_as_much_is_added(store, tmp_path):
    for media_id, sound in (("same", SOUND), ("larger", SOUND + b"!"), ("other", b"A sound")):
        store.add(media(media_id, size_bytes=len(sound)), {})
        store.complete(media_id, {"segments": []})
        keep_audio(store, tmp_path, media_id, sound)
    store.add(media("waits", size_bytes=len(SOUND)), {})
    store.complete("waits", {"segments": []})  # without audio
    assert store.same_audio(DIGEST, len(SOUND)).id == "same"
    digests = {each: store.media(each).sha256 for each in ("same", "larger", "other", "waits")}
    known = hashlib.sha256(b"A sound").hexdigest()
    assert digests == {"same": DIGEST, "larger": None, "other": known, "waits": None}
