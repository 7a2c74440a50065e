"""Local libraries of earlier versions are brought up to date, and lose nothing."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from echostream_ui.library.analysis import ActionItem, Bookmark
from echostream_ui.library.search import MARK_END, MARK_START, Match, Query
from echostream_ui.library.sqlite import database
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.sqlite.watched import WatchedFile
from echostream_ui.library.store import StoreError
from recordings import answer, found, media


def columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [name for _, name, *_ in db.execute(f"PRAGMA main.table_info({table})")]


def made_by(version: int, library: Path, old: Path) -> None:
    """Writes what is in a library as that version of the tables would have it."""
    with closing(sqlite3.connect(old, isolation_level=None)) as db:
        for step in database._MIGRATIONS[:version]:
            db.executescript(step)
        db.execute("ATTACH ? AS newest", (str(library),))
        keys = {"media": "number", "analysis": "media_id", "search": "rowid", "watched": "path"}
        for table, key in keys.items():
            if not (there := columns(db, table)):
                continue
            names = ", ".join(dict.fromkeys([key, *there]))
            db.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM newest.{table}")  # noqa: S608 - our own names


def contents(store: SqliteStore) -> list[Any]:
    return [(store.media(each), store.analysis(each)) for each in ("m1", "m2")]


@pytest.mark.parametrize("version", range(1, len(database._MIGRATIONS)))
def test_a_library_of_before_with_edits_is_brought_up_to_date(tmp_path, version):
    with closing(SqliteStore(tmp_path / "newest")) as store:
        store.add(media("m1", source_name="Interview_07.m4a", tags=("x",)), {"n": 1})
        store.complete("m1", answer("one", "another", items=("Write",)))
        store.update_media("m1", title="Mine")
        store.update_analysis("m1", edits={1: "two"}, speakers={"A": "Ada"})
        store.update_analysis("m1", action_items=(ActionItem("Written", done=True),))
        store.add(media("m2", size_bytes=5), {"n": 2})
        (sound := tmp_path / "talk.wav").write_bytes(b"sound")
        store.keep_audio("m1", sound)
        before = contents(store)
    (folder := tmp_path / "library").mkdir()
    made_by(version, tmp_path / "newest" / "library.db", folder / "library.db")
    (tmp_path / "newest" / "audio").rename(folder / "audio")
    with ThreadPoolExecutor(2) as pool:  # as two processes that start together
        stores = list(pool.map(lambda _: SqliteStore(folder), range(2)))
    for store in stores:
        assert contents(store) == before
        assert found(store, "interview two mine") == ["m1"]
        (row,) = store.search(Query("two")).rows
        assert row.matches == (Match(2.0, f"{MARK_START}two{MARK_END}"),)
        assert store.audio("m1").read_bytes() == b"sound"
        assert [each.id for each in store.unfinished()] == ["m2"]
        assert store.folders.all() == store.filters.all() == []
        assert store.presets.all() == store.versions.all("m1") == []
        assert store.watched.all() == {}
        assert store.voices.known() == store.shares.of("m1") == []
    first, second = stores
    secret = first.shares.add("m1", None, has_sound=False)
    assert second.shares.find(secret) is not None
    for store in stores:
        store.close()


def test_what_the_last_version_had_beside_its_recordings_stays(tmp_path):
    with closing(SqliteStore(tmp_path / "newest")) as store:
        store.add(media("m1"), {})
        store.complete("m1", answer("one"))
        store.update_analysis("m1", line_speakers={0: "B"}, bookmarks=(Bookmark(1.5, "here"),))
        file = WatchedFile("talk.mp3", 5, 1, "ab", "m1", is_exported=True)
        store.watched.keep(file)
        before = contents(store)
    (folder := tmp_path / "library").mkdir()
    made_by(
        len(database._MIGRATIONS) - 1, tmp_path / "newest" / "library.db", folder / "library.db"
    )
    with closing(SqliteStore(folder)) as store:
        assert contents(store) == before
        store.update_media("m1", title="Changed")
        assert store.watched.all() == {"talk.mp3": file}, "its documents are not ours to change"


def test_times_of_older_lines_are_kept_once_they_are_known(tmp_path):
    with closing(SqliteStore(tmp_path)) as store:
        store.add(media("m1"), {})
        store.complete("m1", answer("one", "two"))
        with store._db.transaction() as db:
            db.execute("DELETE FROM line_starts")
        assert [match.start_s for match in store.matches("m1", "two")] == [2.0]
        [row] = store._db.rows("SELECT starts FROM line_starts")
        assert row["starts"] == "[0.0, 2.0]"


def test_a_library_of_a_newer_program_is_left_alone(tmp_path):
    SqliteStore(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "library.db")) as db:
        db.execute("PRAGMA user_version = 1000")
    with pytest.raises(StoreError, match="newer EchoStream") as caught:
        SqliteStore(tmp_path)
    assert caught.value.advice
