"""What is kept of recordings is for its user alone, even where the umask lets others in."""

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import SAMPLE
from echostream.media import make_playable
from echostream.private_files import make_private_file, make_private_folder, open_private
from echostream.storage import Storage
from echostream_ui.__main__ import check_library, main
from echostream_ui.intake.remux import make_seekable
from echostream_ui.intake.staging import Staging
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.settings import FrontendSettings


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes_below(folder: Path) -> dict[str, str]:
    """Type and permissions of all that is in a folder, and of it itself."""
    found = [folder, *folder.rglob("*")]
    return {
        str(path.relative_to(folder.parent)): stat.filemode(path.stat().st_mode) for path in found
    }


def assert_private(folder: Path, *names: str) -> None:
    modes = modes_below(folder)
    assert set(names) <= set(modes)
    for name, mode in modes.items():
        assert mode in ("drwx------", "-rw-------"), name


async def test_the_files_of_jobs(tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}/data/jobs")
    await storage.stage("job_1", io.BytesIO(b"sound"))
    await storage.write_result("job_1", b"{}")
    assert_private(tmp_path / "data", "data/jobs/staged/job_1", "data/jobs/results/job_1.json")


def test_the_library(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "library"
    check_library(FrontendSettings(library_path=folder))
    staging = Staging(folder / "staging")
    staging.write_answer("a", {"success": True})
    store = SqliteStore(folder)
    modes = modes_below(folder)  # while SQLite's other files are there
    store.close()
    assert {"library/library.db-wal", "library/library.db-shm"} <= set(modes)
    assert set(modes.values()) == {"drwx------", "-rw-------"}
    assert_private(tmp_path / "data", "data/library/staging/a/answer.json")


async def test_audio_that_is_written_anew(tmp_path: Path) -> None:
    folder = tmp_path / "audio"
    make_private_folder(folder)
    await make_playable(SAMPLE, folder / "talk.mp3", timeout_s=60)
    assert_private(folder, "audio/talk.mp3")


async def test_a_recording_with_a_new_index(tmp_path: Path) -> None:
    folder = tmp_path / "staging"
    make_private_folder(folder)
    recording = folder / "audio.ogg"
    source = Path(__file__).parent / "data" / "unseen.ogg"
    recording.write_bytes(source.read_bytes())
    recording.chmod(0o600)
    await make_seekable(recording)
    assert recording.read_bytes() != source.read_bytes()
    assert_private(folder, "staging/audio.ogg")


def test_what_an_earlier_version_left_open_is_closed_to_others(tmp_path: Path) -> None:
    for name in ("library/audio", "library/staging"):
        (tmp_path / name).mkdir(0o755, parents=True)
    database = tmp_path / "library" / "library.db"
    database.touch(0o644)
    check_library(FrontendSettings(library_path=tmp_path / "library"))
    SqliteStore(tmp_path / "library").close()
    modes = modes_below(tmp_path / "library")
    assert modes["library/audio"] == modes["library/staging"] == "drwxr-x---"
    assert modes["library/library.db"] == "-rw-r-----"
    assert modes["library"] == "drwxrwxrwx"  # who made it decides


@pytest.mark.parametrize(
    ("before", "after"), [(0o701, 0o700), (0o704, 0o700), (0o772, 0o770), (0o2775, 0o2770)]
)
def test_whatever_others_may_do_ends(tmp_path: Path, before: int, after: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(before)
    make_private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == after


def test_two_processes_may_make_a_folder_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    with monkeypatch.context() as when_looked_for:
        when_looked_for.setattr(Path, "exists", lambda _path: False)
        make_private_folder(folder)


def test_a_private_file_is_opened_as_others_are(tmp_path: Path) -> None:
    with open_private(tmp_path / "file", "w", newline="\r\n") as opened:
        opened.write("a\n")
    assert (tmp_path / "file").read_bytes() == b"a\r\n"
    assert_private(tmp_path / "file")


@pytest.mark.parametrize("kind", ["file", "link to nowhere"])
def test_a_library_without_a_place_ends_the_web_page_with_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    """By default it is in `data`, which is the API's folder if that runs on the same machine."""
    data = tmp_path / "data"
    if kind == "file":
        data.touch()
    else:
        data.symlink_to("/nowhere/at/all")
    monkeypatch.setenv("FRONTEND_PORT", "0")
    assert main() == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("echostream: LIBRARY_PATH: cannot write to data/library (data")


@pytest.mark.parametrize("make", [make_private_folder, make_private_file])
def test_a_place_that_cannot_be_used(tmp_path: Path, make: object) -> None:
    (tmp_path / "file").touch()
    assert callable(make)
    with pytest.raises(OSError, match="Not a directory"):
        make(tmp_path / "file" / "folder")
