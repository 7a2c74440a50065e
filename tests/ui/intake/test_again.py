"""A recording is transcribed again: the old results stay until the new ones are complete."""

import asyncio
from pathlib import Path

import pytest

from echostream_ui.api_client import ApiError
from echostream_ui.intake import Intake
from recordings import answer, fill
from sites import Site
from sites import answer as page
from ui.standins import FullStore, ScriptedApi
from web.support import wait_until

NEW = answer("new words", title="Another title")


@pytest.fixture
def store(tmp_path: Path) -> FullStore:
    """With a recording whose transcript the user has edited."""
    made = FullStore(tmp_path / "library")
    fill(made, "m1", "old words", title="Mine", tags=("x",))
    sound = tmp_path / "talk.wav"
    sound.write_text("sound")
    made.keep_audio("m1", sound)
    made.update_analysis("m1", edits={0: "edited words"})
    return made


async def transcribe(intake: Intake, store: FullStore) -> None:
    await asyncio.to_thread(intake.again.start, store, "m1", {"language": "de"})


async def ended(intake: Intake) -> None:
    await asyncio.to_thread(wait_until, lambda: intake.again.progress("m1") is None, "it ends")


def staged(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "staging").rglob("*") if path.is_file()]


async def test_new_results_take_the_place_of_the_old_and_the_audio_stays(start, store, tmp_path):
    old = store.analysis("m1")
    intake = start(api := ScriptedApi(NEW))
    await transcribe(intake, store)
    await ended(intake)
    assert api.seen == [("sound", {"language": "de"})]
    new = store.analysis("m1")
    assert (new.response, new.request, new.edits) == (NEW, {"language": "de"}, {})
    media = store.media("m1")
    assert (media.title, media.tags, media.state) == ("Mine", ("x",), "completed")
    [version] = store.versions.all("m1")
    assert store.versions.read("m1", version.id) == old
    assert store.audio("m1").read_text() == "sound"
    assert staged(tmp_path) == []


async def test_a_failure_changes_nothing_and_is_told(start, store, tmp_path):
    before = store.media("m1"), store.analysis("m1")
    intake = start(ScriptedApi(ApiError("invalid_request", "No such model."), NEW))
    await transcribe(intake, store)
    await ended(intake)
    assert "No such model." in intake.again.problem("m1")
    assert (store.media("m1"), store.analysis("m1")) == before
    assert (store.versions.all("m1"), staged(tmp_path)) == ([], [])
    await transcribe(intake, store)
    await ended(intake)
    assert intake.again.problem("m1") is None
    assert store.analysis("m1").response == NEW


async def test_without_audio_it_fails(start, store):
    store.audio("m1").unlink()
    intake = start(ScriptedApi(NEW))
    await transcribe(intake, store)
    await ended(intake)
    assert "no longer here" in intake.again.problem("m1")
    assert store.versions.all("m1") == []


async def test_it_can_be_cancelled_with_its_job(start, store, tmp_path):
    before = store.media("m1"), store.analysis("m1")
    intake = start(api := ScriptedApi({"jobId": "job_1"}, has_queue=True))
    api.jobs = [{"state": "active", "progress": 10}]
    await transcribe(intake, store)
    await asyncio.to_thread(
        wait_until, lambda: (now := intake.again.progress("m1")) and now.share == 0.1, "it runs"
    )
    assert (store.media("m1"), store.analysis("m1")) == before, "the library holds the old results"
    await asyncio.to_thread(intake.again.cancel, "m1")
    assert api.cancelled == ["job_1"]
    assert intake.again.progress("m1") is intake.again.problem("m1") is None
    assert (store.media("m1"), store.analysis("m1"), staged(tmp_path)) == (*before, [])


async def test_it_goes_on_after_a_restart_with_the_same_job(start, store):
    first = start(api := ScriptedApi({"jobId": "job_1"}, has_queue=True))
    await transcribe(first, store)
    polled = asyncio.Event()
    api.on_poll = polled.set
    await polled.wait()
    await first.aclose()
    second = start(later := ScriptedApi(has_queue=True))
    later.jobs = [{"state": "completed", "result": NEW}]
    await asyncio.to_thread(second.resume, store)
    await ended(second)
    assert later.seen == [], "the recording is not sent again"
    assert store.analysis("m1").response == NEW
    assert len(store.versions.all("m1")) == 1


async def test_another_users_work_is_not_resumed(start, store, tmp_path):
    first = start(api := ScriptedApi())
    await transcribe(first, store)
    await api.at_work.wait()
    await first.aclose()
    second = start(ScriptedApi(NEW))
    await asyncio.to_thread(second.resume, FullStore(tmp_path / "another"))
    assert second.again.progress("m1") is None
    assert staged(tmp_path) != []


async def test_deleting_the_recording_ends_it(start, store, tmp_path):
    intake = start(api := ScriptedApi())
    await transcribe(intake, store)
    await api.at_work.wait()
    await asyncio.to_thread(intake.delete, store, ["m1"])
    assert (store.media("m1"), staged(tmp_path)) == (None, [])
    assert intake.again.progress("m1") is None


async def test_the_bin_ends_it_for_good(start, store, tmp_path):
    before = store.analysis("m1")
    intake = start(api := ScriptedApi())
    await transcribe(intake, store)
    await api.at_work.wait()
    await asyncio.to_thread(intake.to_bin, store, ["m1"])
    assert (intake.again.progress("m1"), staged(tmp_path)) == (None, [])
    await asyncio.to_thread(intake.restore, store, ["m1"])
    assert intake.again.progress("m1") is None
    assert store.analysis("m1") == before


async def test_what_is_in_the_bin_after_a_crash_waits_there(start, store):
    first = start(api := ScriptedApi())
    await transcribe(first, store)
    await api.at_work.wait()
    await first.aclose()
    store.to_bin(["m1"])
    second = start(ScriptedApi(NEW))
    await asyncio.to_thread(second.resume, store)
    assert second.again.progress("m1") is None
    await asyncio.to_thread(second.restore, store, ["m1"])
    await ended(second)
    assert store.analysis("m1").response == NEW


async def test_audio_of_a_bucket_is_fetched(start, store):
    class Bucket(FullStore):
        url = ""

        def audio(self, media_id: str) -> str:
            return self.url

    store.__class__ = Bucket
    async with Site() as site:
        site.pages["/m1.ogg?token=1"] = page(b"from the bucket")
        store.url = site.url("/m1.ogg?token=1")
        intake = start(api := ScriptedApi(NEW, NEW))
        await transcribe(intake, store)
        await ended(intake)
        assert api.seen == [("from the bucket", {"language": "de"})]
        store.url = site.url("/gone.ogg")
        await transcribe(intake, store)
        await ended(intake)
    assert "could not be read from the library" in intake.again.problem("m1")
