"""A library as a zip file: out of any store and into any, whatever somebody has put into it."""

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from echostream_ui.library.analysis import ActionItem, Bookmark
from echostream_ui.library.archive.form import ABOUT, ArchiveError
from echostream_ui.library.archive.reading import Imported, read_into
from echostream_ui.library.archive.writing import written
from echostream_ui.library.search import Query
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import Store, StoreError
from recordings import answer, fill, media

ONE, TWO, THREE, FOUR = (f"{number:08x}-0000-4000-8000-000000000000" for number in range(1, 5))
SOUND = bytes(range(256)) * 20


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "empty")) as store:
        yield store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For files on their way."""
    made = tmp_path / "staging"
    made.mkdir()
    return made


def packed(store: Store) -> io.BytesIO:
    return io.BytesIO(b"".join(written(store)))


def keep(store: Store, folder: Path, media_id: str, name: str = "talk.wav") -> None:
    file = folder / name
    file.write_bytes(SOUND)
    store.keep_audio(media_id, file)


def fill_all(store: Store, folder: Path) -> None:
    """A recording with all that one may have, one that failed, one under way, one without sound."""
    fill(store, ONE, "We met.", "They left.", items=("Write",), topics=("budget",), tags=("a", "ü"))
    keep(store, folder, ONE)
    store.update_media(ONE, title="Größe “98 %” 🎙")
    items = (ActionItem("Write", "Ada", "Friday", True, (0,), "2026-11-27"),)
    store.update_analysis(
        ONE,
        edits={1: "They stayed."},
        speakers={"A": "Ada"},
        action_items=items,
        line_speakers={1: "B"},
        bookmarks=(Bookmark(2.5, "Größe?"), Bookmark(0.0)),
    )
    store.add(media(TWO, state="failed", error="x", message="It failed."), {"n": 1})
    keep(store, folder, TWO, "talk.MP3")
    store.add(media(THREE, state="active", job_id="job_1"), {})
    fill(store, FOUR, "Silence.")


def test_everything_comes_back(store: Store, empty: SqliteStore, folder: Path) -> None:
    fill_all(store, folder)
    assert read_into(empty, packed(store), folder) == Imported(3, (), ())
    for media_id in (ONE, TWO, FOUR):
        assert empty.media(media_id) == store.media(media_id)
        assert empty.analysis(media_id) == store.analysis(media_id)
    assert empty.media(THREE) is None
    for media_id, suffix in ((ONE, ".wav"), (TWO, ".mp3")):
        sound = empty.audio(media_id)
        assert sound is not None
        assert (sound.read_bytes(), sound.suffix) == (SOUND, suffix)
    assert empty.audio(FOUR) is None
    assert [row.media.id for row in empty.search(Query("stayed")).rows] == [ONE]
    assert not list(folder.iterdir())


def test_it_comes_back_into_any_store(store: Store, empty: SqliteStore, folder: Path) -> None:
    fill_all(empty, folder)
    assert read_into(store, packed(empty), folder) == Imported(3, (), ())
    assert store.media(ONE) == empty.media(ONE)
    assert store.analysis(ONE) == empty.analysis(ONE)
    assert store.audio(ONE) is not None


def test_the_bin_and_the_folders_stay_with_their_library(
    store: Store, empty: SqliteStore, folder: Path
) -> None:
    for media_id in (ONE, TWO):
        fill(empty, media_id)
    empty.folders.move([ONE], empty.folders.add("Board"))
    empty.update_media(ONE, sha256="0" * 64)
    empty.to_bin([TWO])
    archive = packed(empty)
    assert read_into(store, archive, folder) == Imported(1, (), ())
    found = store.media(ONE)
    assert found is not None
    assert (found.folder, found.deleted_at, found.sha256) == (None, None, None)
    assert store.media(TWO) is None
    empty.restore([TWO])
    empty.to_bin([ONE])
    assert read_into(empty, archive, folder).added == 0
    assert [row.media.id for row in empty.search(Query()).rows] == [TWO], "the bin is left alone"


def test_it_is_not_believed_about_folders_and_bin(empty: SqliteStore, folder: Path) -> None:
    fill(empty, ONE)
    claim = {"folder": "x", "deleted_at": "2026-01-01T00:00:00Z", "sha256": "x", "job_id": "x"}
    files = with_document(lambda it: it["media"].update(claim))(files_of(empty))
    before = empty.media(ONE)
    empty.delete([ONE])
    assert read_into(empty, zipped(files), folder) == Imported(1, (), ())
    assert empty.media(ONE) == before


def test_what_is_there_already_stays_as_it_is(empty: SqliteStore, folder: Path) -> None:
    fill_all(empty, folder)
    archive = packed(empty)
    empty.update_media(ONE, title="Newer")
    empty.update_analysis(ONE, edits={0: "Newer."})
    empty.delete([FOUR])
    found = read_into(empty, archive, folder)
    assert (found.added, found.refused) == (1, ())
    assert sorted(found.known) == ["Größe “98 %” 🎙", "talk.mp3"]
    kept, analysis = empty.media(ONE), empty.analysis(ONE)
    assert kept is not None
    assert kept.title == "Newer"
    assert analysis is not None
    assert analysis.edits == {0: "Newer."}


def test_an_import_that_was_interrupted_goes_on(empty: SqliteStore, folder: Path) -> None:
    fill_all(empty, folder)
    archive = packed(empty)

    class Full(SqliteStore):
        def complete(self, media_id: str, response: dict[str, Any]) -> None:
            raise StoreError("The disk is full.")

    place = folder.parent / "other"
    with closing(Full(place)) as full, pytest.raises(StoreError, match="full"):
        read_into(full, archive, folder)
    with closing(SqliteStore(place)) as other:
        half = next(each for each in (other.media(ONE), other.media(FOUR)) if each)
        assert half.state == "failed"
        assert "Import the archive again" in (half.message or "")
        done = read_into(other, archive, folder)
        assert done.added + len(done.known) == 3
        assert other.analysis(ONE) == empty.analysis(ONE)
        assert other.media(ONE) == empty.media(ONE)


def test_a_recording_is_not_held_in_memory(empty: SqliteStore, folder: Path) -> None:
    fill(empty, ONE)
    file = folder / "long.wav"
    with file.open("wb") as opened:
        opened.truncate(60_000_000)
    empty.keep_audio(ONE, file)
    archive = folder / "library.zip"
    tracemalloc.start()
    with archive.open("wb") as opened:
        opened.writelines(written(empty))
    empty.delete([ONE])
    with archive.open("rb") as opened:
        assert read_into(empty, opened, folder).added == 1
    assert tracemalloc.get_traced_memory()[1] < 15_000_000
    tracemalloc.stop()
    sound = empty.audio(ONE)
    assert sound is not None
    assert sound.stat().st_size == 60_000_000


# Archives that are none of ours


Files = dict[str, bytes]
Change = Callable[[Files], Files]
DOCUMENT = f"recordings/{ONE}/recording.json"


def files_of(store: Store) -> Files:
    with zipfile.ZipFile(packed(store)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(files: Files, compression: int = zipfile.ZIP_STORED) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return made


def with_document(change: Callable[[dict[str, Any]], object]) -> Change:
    def changed(files: Files) -> Files:
        document = json.loads(files[DOCUMENT])
        change(document)
        return files | {DOCUMENT: json.dumps(document).encode()}

    return changed


@pytest.mark.parametrize(
    "name",
    [
        "../outside.txt",
        "/etc/passwd",
        "..\\outside.txt",
        f"recordings/{ONE}/../../../outside.wav",
        f"recordings/{ONE}/audio.wav/x",
        f"recordings/{ONE}/library.db",
        f"recordings/{ONE}/audio.wa/v",
        f"recordings/{ONE}/audio.wav\n",
        "recordings/0/recording.json",  # could reach the audio of all ids that begin with 0
        "recordings/*/audio.wav",
        f"recordings/{ONE.upper()}a/recording.json",
    ],
)
def test_a_name_that_is_none_of_ours_is_refused(
    empty: SqliteStore, folder: Path, name: str
) -> None:
    before = sorted(folder.parent.rglob("*"))
    fill(empty, ONE)
    files = files_of(empty)
    empty.delete([ONE])
    with pytest.raises(ArchiveError, match="no library of ours"):
        read_into(empty, zipped(files | {name: b"x"}), folder)
    assert empty.media(ONE) is None
    assert sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda files: {DOCUMENT: files[DOCUMENT]}, "no archive of a library"),
        (lambda files: files | {ABOUT: b"[]"}, "no archive of a library"),
        (
            lambda files: files | {ABOUT: b'{"format": "x", "version": 1}'},
            "no archive of a library",
        ),
        (
            lambda files: files | {ABOUT: b'{"format": "echostream-library", "version": 2}'},
            "newer version",
        ),
    ],
)
def test_another_zip_file_is_refused(
    empty: SqliteStore, folder: Path, change: Change, told: str
) -> None:
    fill(empty, ONE)
    with pytest.raises(ArchiveError, match=told):
        read_into(empty, zipped(change(files_of(empty))), folder)


@pytest.mark.parametrize(
    "change",
    [
        with_document(lambda it: it["media"].update(id=TWO)),
        with_document(lambda it: it["media"].update(state="active")),
        with_document(lambda it: it["media"].update(created_at="2026-11-02T09:30:15")),
        with_document(lambda it: it["media"].update(tags=[{"a": 1}])),
        with_document(lambda it: it["analysis"].update(media_id=TWO)),
        with_document(lambda it: it["analysis"].update(response=None)),
        with_document(lambda it: it["analysis"]["response"].update(segments=[{"id": 1}])),
        with_document(lambda it: it["analysis"]["insights"].update(topics="budget")),
        with_document(lambda it: it["analysis"].update(edits={"x": "y"})),
        with_document(lambda it: it["analysis"].update(line_speakers={"x": "A"})),
        with_document(lambda it: it["analysis"].update(line_speakers={"0": {"a": 1}})),
        with_document(lambda it: it["analysis"].update(bookmarks=[{"note": "no time"}])),
        with_document(lambda it: it["analysis"].update(bookmarks=[{"at_s": float("inf")}])),
        with_document(lambda it: it["analysis"]["insights"].update(details={"sections": [1]})),
        lambda files: files | {DOCUMENT: b"[" * 100_000},
        lambda files: files | {DOCUMENT: b"{}"},
        lambda files: {name: text for name, text in files.items() if name != DOCUMENT},
    ],
)
def test_a_recording_that_pages_could_not_show_is_left_out(
    empty: SqliteStore, folder: Path, change: Change
) -> None:
    fill(empty, ONE)
    fill(empty, TWO)
    keep(empty, folder, ONE)
    files = change(files_of(empty))
    empty.delete([ONE, TWO])
    found = read_into(empty, zipped(files), folder)
    assert found.added == 1
    [sentence] = found.refused
    assert ONE in sentence
    assert empty.media(ONE) is None
    assert empty.media(TWO) is not None


def test_what_is_far_larger_unpacked_is_refused(empty: SqliteStore, folder: Path) -> None:
    fill(empty, ONE)
    files = files_of(empty) | {f"recordings/{ONE}/audio.wav": bytes(50_000_000)}
    empty.delete([ONE])
    with pytest.raises(ArchiveError, match="too large"):
        read_into(empty, zipped(files, zipfile.ZIP_DEFLATED), folder)
    assert empty.media(ONE) is None


def test_a_list_of_too_many_names_is_not_read(
    empty: SqliteStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("echostream_ui.library.archive.reading._MOST_DIRECTORY_BYTES", 10_000)
    files = {f"recordings/{number}/audio": b"" for number in range(200)}
    with pytest.raises(ArchiveError, match="more files"):
        read_into(empty, zipped(files), folder)


def test_two_files_of_one_name_are_refused(empty: SqliteStore, folder: Path) -> None:
    fill(empty, ONE)
    files = files_of(empty)
    twice = {f"recordings/{ONE}/audio.wav": b"1", f"recordings/{ONE}/audio.mp3": b"2"}
    with pytest.raises(ArchiveError, match="two files"):
        read_into(empty, zipped(files | twice), folder)


def test_a_file_that_is_cut_off_or_damaged_is_refused(empty: SqliteStore, folder: Path) -> None:
    fill(empty, ONE)
    keep(empty, folder, ONE)
    whole = packed(empty).getvalue()
    empty.delete([ONE])
    at = whole.index(SOUND)
    broken = whole[: at + 9] + b"x" + whole[at + 10 :]
    for content in (b"", b"no zip file", whole[:-200], whole[: len(whole) // 2], broken):
        with pytest.raises(ArchiveError, match="damaged"):
            read_into(empty, io.BytesIO(content), folder)
    found = empty.media(ONE)
    assert found is None or found.state == "failed"
    assert read_into(empty, io.BytesIO(whole), folder).added == 1


def marked_as_encrypted(whole: bytes) -> bytes:
    parts = whole.split(b"PK\x01\x02")
    return b"PK\x01\x02".join([parts[0], *(each[:4] + b"\x01" + each[5:] for each in parts[1:])])


def without_a_name(whole: bytes) -> bytes:
    """The last file's name is taken for a comment in the archive's list."""
    before, entry = whole.rsplit(b"PK\x01\x02", 1)
    changed = entry[:24] + bytes(2) + entry[26:28] + entry[24:26] + entry[30:]
    return before + b"PK\x01\x02" + changed


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x" * 9, without_a_name),
        ("ä", lambda whole: whole.replace("ä".encode(), b"\xff\xff")),
        ("x", marked_as_encrypted),
        ("x", lambda whole: whole[10:]),  # its first file begins before the whole does
    ],
)
def test_what_no_zip_program_writes_is_refused(
    empty: SqliteStore, folder: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    fill(empty, ONE)
    whole = zipped(files_of(empty) | {name: b"x"}).getvalue()
    with pytest.raises(ArchiveError):
        read_into(empty, io.BytesIO(change(whole)), folder)


def test_an_answer_of_another_time_is_taken(empty: SqliteStore, folder: Path) -> None:
    """Older and newer answers have other fields. They come back just as they were."""
    response = answer("one") | {"later": {"a": [1]}, "speakers": None}
    empty.add(media(ONE), {})
    empty.complete(ONE, response)
    archive = packed(empty)
    before = replace(empty.analysis(ONE) or pytest.fail("it is gone"))
    empty.delete([ONE])
    assert read_into(empty, archive, folder) == Imported(1, (), ())
    assert empty.analysis(ONE) == before
