"""A watched folder: what lies in it comes into the library once, and results lie beside it."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest

from echostream_ui import documents
from echostream_ui.api_client import ApiError
from echostream_ui.intake import Intake
from echostream_ui.intake.staging import Staging
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import Media, Query
from echostream_ui.services import Services
from echostream_ui.settings import Export, FrontendSettings
from echostream_ui.watching.files import Stillness
from echostream_ui.watching.folder import WatchedFolder
from ui.standins import ANSWER, ScriptedApi
from web.support import wait_until

AT_ONCE = Stillness(still_s=0, empty_still_s=0)
Watch = Callable[..., "Watched"]


class Watched:
    """A run of the frontend, as far as it is about a folder."""

    def __init__(self, place: Path, *answers: object, **options: object) -> None:
        self.folder = place / "folder"
        self.folder.mkdir(exist_ok=True)
        self.database = place / "library" / "library.db"
        self.store = SqliteStore(place / "library")
        self.api = ScriptedApi(*answers)
        self.intake = Intake(self.api, Staging(place / "staging"), at_once=1, pause_s=0.01)
        stillness = Stillness(still_s=0, empty_still_s=0)
        self.watched = WatchedFolder(
            self.folder, self.store, self.intake, stillness=stillness, **options
        )

    async def look(self) -> list[Media]:
        """What is in the library after a look at the folder, and the work that follows from it."""
        await asyncio.to_thread(self.watched.look)
        for media in self.store.unfinished():
            await asyncio.to_thread(
                wait_until, lambda one=media: self.intake.progress(one.id) is None, "it is done"
            )
        await asyncio.to_thread(self.watched.look)
        return [row.media for row in self.store.search(Query(descending=False)).rows]

    async def aclose(self) -> None:
        await self.intake.aclose()
        self.store.close()

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Watch]:
    running: list[Watched] = []

    def begin(*answers: object, **options: object) -> Watched:
        running.append(Watched(tmp_path, *answers, **options))
        return running[-1]

    yield begin
    for each in running:
        await each.aclose()


async def test_a_file_is_taken_in_once_over_restarts(watch, tmp_path):
    first = watch(ANSWER)
    (first.folder / "talk.mp3").write_text("sound")
    [media] = await first.look()
    assert (media.state, media.source_name) == ("completed", "talk.mp3")
    assert first.store.audio(media.id).read_text() == "sound"
    assert [text for text, _ in first.api.seen] == ["sound"]
    assert (first.folder / "talk.mp3").read_text() == "sound", "it stays where it is"
    again = watch(ANSWER)
    (first.folder / "talk.mp3").touch()
    assert await again.look() == [media]
    assert again.api.seen == []
    again.store.delete([media.id])
    assert await again.look() == [], "what somebody deleted does not come back"


async def test_a_file_that_was_moved_or_copied_is_the_same_and_another_content_is_not(watch):
    one = watch(ANSWER, ANSWER)
    talk = one.folder / "talk.mp3"
    talk.write_text("sound")
    await one.look()
    (one.folder / "march").mkdir()
    talk = talk.rename(one.folder / "march" / "renamed.mp3")
    (one.folder / "copy.mp3").write_text("sound")
    assert len(await one.look()) == 1
    talk.write_text("another sound")
    assert len(await one.look()) == 2
    assert [text for text, _ in one.api.seen] == ["sound", "another sound"]


async def test_a_crash_between_library_and_folder_makes_no_second_recording(watch):
    one = watch(ANSWER)
    (one.folder / "talk.mp3").write_text("sound")
    [media] = await one.look()
    with closing(sqlite3.connect(one.database, isolation_level=None)) as db:
        db.execute("DELETE FROM watched")
    assert await watch(ANSWER).look() == [media]


async def test_what_is_in_the_bin_stays_there_and_is_exported_only_after_it_is_out_again(watch):
    one = watch(ANSWER)
    (one.folder / "talk.mp3").write_text("sound")
    [media] = await one.look()
    one.store.to_bin([media.id])
    with closing(sqlite3.connect(one.database, isolation_level=None)) as db:
        db.execute("DELETE FROM watched")
    later = watch(ANSWER, formats=("txt",))
    assert await later.look() == []
    assert (later.api.seen, later.names()) == ([], ["talk.mp3"])
    later.store.restore([media.id])
    assert await later.look() == [media]
    assert later.names() == ["talk.mp3", "talk.txt"]


async def test_what_was_added_another_way_too_does_not_stop_it(watch, tmp_path):
    one = watch(ANSWER, ANSWER)
    (source := tmp_path / "added.mp3").write_text("sound")
    with source.open("rb") as audio:
        await asyncio.to_thread(one.intake.add_file, one.store, source.name, audio, {})
    (one.folder / "talk.mp3").write_text("sound")
    assert {each.source_name for each in await one.look()} == {"added.mp3", "talk.mp3"}
    assert len(await one.look()) == 2


async def test_a_bad_file_is_told_in_the_library_and_not_tried_again(watch):
    one = watch(ApiError("invalid_audio", "There is no audio in it."), ANSWER)
    (one.folder / "bad.mp3").write_text("nonsense")
    [media] = await one.look()
    assert (media.state, media.title, media.error) == ("failed", "bad.mp3", "invalid_audio")
    assert "There is no audio in it." in media.message
    assert len(await one.look()) == 1
    assert len(one.api.seen) == 1
    assert len(await watch(ANSWER).look()) == 1, "nor after a restart"


async def test_a_file_that_cannot_be_read_is_told_too(watch):
    one = watch(ANSWER)
    (one.folder / "odd.mp3").symlink_to("/proc/self/mem")  # gives an error to whoever reads it
    [media] = await one.look()
    assert media.state == "failed"
    assert "cannot be read: Input/output error." in media.message
    assert len(await one.look()) == 1


async def test_a_name_that_is_no_text_stops_nothing(watch):
    """Names of files are bytes, also such as no text has."""
    one = watch(ANSWER, ANSWER, formats=["txt"])
    odd = one.folder / os.fsdecode(b"\xff odd.mp3")
    for path in (odd, one.folder / "talk.mp3"):
        path.write_text(path.name[-7:])
    found = await one.look()
    assert sorted(media.source_name for media in found) == ["talk.mp3", "\ufffd odd.mp3"]
    assert {media.state for media in found} == {"completed"}
    assert sorted(path.suffix for path in one.folder.iterdir()) == [".mp3", ".mp3", ".txt", ".txt"]
    os.utime(odd, (1, 1))
    assert await one.look() == found, "it is known again"


async def test_results_lie_beside_it_and_nothing_is_overwritten(watch):
    one = watch(ANSWER, {**ANSWER, "transcript": "Other."}, formats=("txt", "srt"))
    (one.folder / "talk.mp3").write_text("sound")
    (one.folder / "talk.txt").write_text("mine")
    (one.folder / "other.mp3").write_text("other sound")
    (one.folder / "other.srt").write_text("mine")
    (one.folder / "other.mp3.srt").symlink_to(one.folder / "nowhere.txt")
    await one.look()
    assert (one.folder / "talk.txt").read_text() == "mine"
    assert "We talked about the budget." in (one.folder / "talk.mp3.txt").read_text()
    assert "-->" in (one.folder / "talk.srt").read_text()
    assert (one.folder / "other.srt").read_text() == "mine"
    assert not (one.folder / "nowhere.txt").exists()
    names = one.names()
    for name in ("talk.srt", "talk.mp3.txt"):
        (one.folder / name).unlink()
    await one.look()
    assert set(names) - set(one.names()) == {"talk.srt", "talk.mp3.txt"}, "they are written once"


async def test_results_follow_a_file_that_was_moved_before_they_were_there(watch):
    one = watch(formats=("md",))
    (one.folder / "talk.mp3").write_text("sound")
    await asyncio.to_thread(one.watched.look)
    await one.api.at_work.wait()
    await one.intake.aclose()
    (one.folder / "talk.mp3").rename(one.folder / "moved.mp3")
    later = watch(ANSWER, formats=("md",))
    await asyncio.to_thread(later.intake.resume, later.store)
    await later.look()
    assert later.names() == ["moved.md", "moved.mp3"]


async def test_it_gets_the_options_of_a_preset(watch, caplog):
    one = watch(ANSWER, ANSWER, preset="Board")
    (one.folder / "before.mp3").write_text("sound")
    await one.look()
    assert "no preset named 'Board'" in caplog.text
    one.store.presets.keep("Board", {"language": "de"})
    (one.folder / "talk.mp3").write_text("more sound")
    await one.look()
    assert one.api.seen[1] == ("more sound", {"language": "de"})


async def test_a_folder_that_is_missing_for_a_while_is_found_later(watch, tmp_path, caplog):
    one = watch(ANSWER)
    one.folder.rmdir()
    watching = WatchedFolder(
        one.folder, one.store, one.intake, every_s=0.01, pause_s=0.01, stillness=AT_ONCE
    )
    task = asyncio.create_task(watching.watch())
    await asyncio.to_thread(wait_until, lambda: "cannot be used" in caplog.text, "it is told")
    one.folder.mkdir()
    (one.folder / "talk.mp3").write_text("sound")
    await asyncio.to_thread(
        wait_until, lambda: one.store.search(Query(states=("completed",))).total, "it is there"
    )
    task.cancel()
    assert caplog.text.count("No such file") == 1


def test_the_frontend_watches_by_itself(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "talk.mp3").write_text("sound")
    settings = FrontendSettings(
        api_base_url="http://127.0.0.1:1",
        library_path=tmp_path / "library",
        watch_folder=tmp_path / "in",
    )
    shared = Services(settings)
    try:
        wait_until(lambda: bool(shared.library.unfinished()), "the file is in the library")
        [media] = shared.library.unfinished()
        assert shared.library.analysis(media.id).request["wordTimestamps"] is True
    finally:
        shared.close()


def test_settings_of_the_folder(tmp_path):
    place = tmp_path / "in"
    made = FrontendSettings(watch_folder=place, watch_export=" txt, srt ,")
    assert (made.watch_export, made.watches) == (("txt", "srt"), True)
    supabase = {"supabase_url": "http://127.0.0.1:1", "supabase_anon_key": "sb_publishable_x"}
    assert not FrontendSettings(watch_folder=place, **supabase).watches
    with pytest.raises(ValueError, match="watch_export"):
        FrontendSettings(watch_export="pdf")
    for watched, library in ((tmp_path, tmp_path / "library"), (tmp_path / "in", tmp_path)):
        with pytest.raises(ValueError, match="must not lie within each other"):
            FrontendSettings(watch_folder=watched, library_path=library)
    assert set(get_args(Export)) == set(documents.FORMATS) - {"pdf"}
