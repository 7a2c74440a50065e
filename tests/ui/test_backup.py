"""The library as a file: over HTTP, and from the command line."""

import io
import os
import zipfile
from contextlib import closing
from pathlib import Path

import httpx2 as httpx
from starlette.applications import Starlette
from starlette.routing import Route

import forks
from echostream_ui import backup
from echostream_ui.library.archive.reading import Imported
from echostream_ui.library.search import Query
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.services import Services
from echostream_ui.words.archives import told
from ui.recordings import MEETING, add_recording
from ui.standins import ANSWER


def browser() -> httpx.AsyncClient:
    routes = [
        Route("/library.zip", backup.export, methods=["GET"]),
        Route("/library.zip", backup.take_back, methods=["POST"]),
    ]
    transport = httpx.ASGITransport(Starlette(routes=routes))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_a_library_goes_out_and_comes_back(app_services: Services) -> None:
    library = app_services.library
    assert library is not None
    media_id = add_recording(library, ANSWER, tags=("work",))
    before = (library.media(media_id), library.analysis(media_id))
    async with browser() as client:
        answer = await client.get("/library.zip")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/zip"
        assert ".zip" in answer.headers["content-disposition"]
        with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
            assert file.testzip() is None
            assert file.read(f"recordings/{media_id}/audio.wav") == MEETING.read_bytes()
        library.delete([media_id])
        for messages in (
            ["1 recording was added."],
            [
                "0 recordings were added.",
                "1 recording was in the library already, where nothing was changed:"
                " Planning of the launch.",
            ],
        ):
            ticket = app_services.import_tickets.issue(library)
            came = await client.post(f"/library.zip?ticket={ticket}", content=answer.content)
            assert came.json()["messages"] == messages
    assert (library.media(media_id), library.analysis(media_id)) == before
    assert not list(app_services.settings.staging_path.iterdir())


async def test_an_import_needs_the_page_and_an_archive(app_services: Services) -> None:
    """A ticket works once. Pages of other sites have none."""
    library = app_services.library
    assert library is not None
    async with browser() as client:
        for path in ("/library.zip", "/library.zip?ticket=wrong"):
            assert (await client.post(path, content=b"x")).status_code == 403
        ticket = app_services.import_tickets.issue(library)
        refused = await client.post(f"/library.zip?ticket={ticket}", content=b"no archive")
        assert refused.status_code == 422
        assert "damaged" in refused.json()["messages"][0]
        again = await client.post(f"/library.zip?ticket={ticket}", content=b"no archive")
        assert again.status_code == 403
        following = f"/library.zip?ticket={refused.json()['ticket']}"
        assert (await client.post(following, content=b"no archive")).status_code == 422


def test_long_lists_are_cut() -> None:
    names = tuple(f"Talk {number}" for number in range(30))
    [added, known, refused] = told(Imported(2, names, ("Recording x cannot be read.",)))
    assert added == "2 recordings were added."
    assert known.endswith("Talk 9; and 20 more.")
    assert refused == "1 recording was left out: Recording x cannot be read."


def test_the_command_writes_a_library_and_reads_it(tmp_path: Path) -> None:
    def run(action: str, file: Path, library: Path) -> tuple[int, str, str]:
        environment = os.environ | {"LIBRARY_PATH": str(library)}
        done = forks.run(["-m", "echostream", "library", action, str(file)], environment)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    here, there, file = tmp_path / "here", tmp_path / "there", tmp_path / "library.zip"
    code, _, said = run("export", file, here)
    assert (code, file.exists()) == (1, False)
    assert "there is no library" in said
    with closing(SqliteStore(here)) as library:
        add_recording(library, ANSWER)
    assert run("export", file, here) == (0, f"{file}\n", "")
    assert file.stat().st_mode & 0o777 == 0o600
    code, _, said = run("export", file, here)  # it overwrites nothing
    assert code == 1
    assert "File exists" in said
    assert run("import", file, there) == (0, "", "1 recording was added.\n")
    assert run("import", file, there)[2].startswith("0 recordings were added.\n1 recording was in")
    with closing(SqliteStore(there)) as library:
        assert library.search(Query("budget")).total == 1
    code, _, said = run("import", MEETING, there)
    assert code == 1
    assert "no zip file" in said
    assert sorted(each.name for each in tmp_path.iterdir()) == ["here", "library.zip", "there"]
