"""Recordings on their way into the library: whatever breaks, none is lost."""

import asyncio
import hashlib
import io
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from echostream_ui.api_client import ApiError
from echostream_ui.intake import AlreadyThere, Intake
from echostream_ui.library.store import StoreError
from ui.standins import ANSWER, FullStore, ScriptedApi, gone
from web.support import WAIT_S, wait_until


@pytest.fixture
def store(tmp_path: Path) -> FullStore:
    return FullStore(tmp_path / "library")


async def add(intake: Intake, store: FullStore, text: str = "sound", *, again: bool = True) -> str:
    work = partial(
        intake.add_file, store, "talk.mp3", io.BytesIO(text.encode()), {"language": "en"}
    )
    return await asyncio.to_thread(work, again=again)


async def until(condition: Callable[[], object], what: str = "it happens") -> None:
    await asyncio.to_thread(wait_until, condition, what)


def trouble(intake: Intake, media_id: str) -> str | None:
    now = intake.progress(media_id)
    return now.trouble if now else None


async def ended(intake: Intake, media_id: str) -> None:
    await until(lambda: intake.progress(media_id) is None)


def staged(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "staging").rglob("*") if path.is_file()]


async def test_a_file_is_sent_and_its_answer_kept(start, store, tmp_path):
    intake = start(api := ScriptedApi(ANSWER))
    media_id = await add(intake, store)
    await ended(intake, media_id)
    media, analysis = store.media(media_id), store.analysis(media_id)
    assert (media.state, media.title, media.duration_s) == ("completed", "Budget talk", 4.0)
    assert (analysis.request, analysis.response) == ({"language": "en"}, ANSWER)
    assert api.seen == [("sound", {"language": "en"})]
    assert store.audio(media_id).read_text() == "sound"
    assert staged(tmp_path) == []


async def test_an_address_is_sent_as_it_is(start, store):
    intake = start(api := ScriptedApi(ANSWER))
    url = "https://example.com/talk.mp3"
    media_id = await asyncio.to_thread(intake.add_url, store, url, {})
    await ended(intake, media_id)
    assert api.seen == [(url, {})]
    assert store.media(media_id).state == "completed"


async def test_without_a_queue_the_progress_and_the_line_are_told_too(start, store):
    intake = start(api := ScriptedApi())
    api.news = [job_at("transcribing", 80, 12, "We talked")]
    first = await add(intake, store)
    await api.at_work.wait()
    now = intake.progress(first)
    assert (now.stage, now.share, now.left_s, now.text) == ("transcribing", 0.8, 12, "We talked")

    api.news = [job_at("waiting", 0, None, "")]
    others = [await add(intake, store) for _ in range(3)]  # of which the API gets one
    await until(lambda: len(api.seen) == 2)
    assert [intake.progress(one).stage for one in others] == ["queued", "waiting", "waiting"]
    assert [intake.progress(one).ahead for one in others] == [0, 1, 2]


async def test_they_are_sent_in_the_order_in_which_they_were_added(start, store):
    """However long the store takes to tell of one."""
    intake = start(api := ScriptedApi())
    told = threading.Event()
    read = store.media
    store.media = lambda media_id: (media_id != "first" or told.wait()) and read(media_id)
    for name in ("first", "second", "third"):  # of which the API gets two
        audio = io.BytesIO(name.encode())
        await asyncio.to_thread(intake.add_file, store, "a", audio, {}, media_id=name)
    await until(lambda: api.seen)
    told.set()
    await until(lambda: len(api.seen) == 2)
    assert {content for content, _ in api.seen} == {"first", "second"}
    assert intake.progress("third").stage == "waiting"


@pytest.mark.parametrize("turns", range(6))
async def test_stopped_at_any_moment_it_can_be_resumed(start, store, turns):
    intake = start(ScriptedApi(ANSWER, ANSWER))
    media_id = intake.add_url(store, "https://example.com/talk.mp3", {})
    for _ in range(turns):  # of the event loop
        await asyncio.sleep(0)
    await intake.aclose()
    await asyncio.to_thread(intake.resume, store)
    await ended(intake, media_id)
    assert store.media(media_id).state == "completed"


async def test_a_queue_is_used_and_followed(start, store):
    intake = start(api := ScriptedApi({"jobId": "job_1"}, has_queue=True))
    api.jobs = [
        {"state": "waiting", "progress": 0, "ahead": 3},
        {"state": "active", "progress": 40},  # as older APIs say it
        gone(),
        job_at("transcribing", 80, 12, "We talked"),
        job_at("analysing", 90, None, "We talked about"),
        {"state": "completed", "progress": 100, "result": ANSWER},
    ]
    seen = []
    # It may ask before `add` has returned.
    api.on_poll = lambda: seen.append(intake.progress(store.unfinished()[0].id))
    media_id = await add(intake, store)
    await ended(intake, media_id)
    assert store.media(media_id).state == "completed"
    told = [(now.stage, now.share, now.left_s, now.text) for now in seen[1:]]
    assert seen[1].ahead == 3
    assert told == [
        ("queued", None, None, ""),
        ("transcribing", 0.4, None, ""),
        ("transcribing", 0.4, None, ""),  # the API was away
        ("transcribing", 0.8, 12, "We talked"),
        ("analysing", 0.9, None, "We talked about"),
    ]


def job_at(stage: str, progress: int, left_s: int | None, text: str) -> dict[str, object]:
    beside = {"stage": stage, "secondsLeft": left_s, "text": text}
    return {"state": "active", "progress": progress, **beside}


async def test_a_job_that_has_vanished_is_sent_again(start, store):
    intake = start(api := ScriptedApi({"jobId": "job_1"}, {"jobId": "job_2"}, has_queue=True))
    api.jobs = [
        ApiError("job_not_found", "No such job."),
        {"state": "completed", "progress": 100, "result": ANSWER},
    ]
    media_id = await add(intake, store)
    await ended(intake, media_id)
    assert store.media(media_id).state == "completed"
    keys = [key for _, key in api.seen]
    assert len(set(keys)) == 2, "another job needs another key"


async def test_an_api_that_is_away_is_waited_for_and_the_user_told(start, store):
    intake = start(api := ScriptedApi(ANSWER))
    api.is_away = True
    media_id = await add(intake, store)
    await until(lambda: trouble(intake, media_id))
    assert "cannot be reached" in trouble(intake, media_id)
    api.is_away = False
    await ended(intake, media_id)
    assert store.media(media_id).state == "completed"


async def test_a_broken_connection_is_tried_again(start, store):
    intake = start(api := ScriptedApi(gone(), ANSWER))
    media_id = await add(intake, store)
    await ended(intake, media_id)
    assert store.media(media_id).state == "completed"
    assert api.seen[0] == api.seen[1]


async def test_an_api_that_breaks_off_each_time_is_given_up(start, store):
    intake = start(ScriptedApi(gone(), gone(), gone()))
    media_id = await add(intake, store)
    await ended(intake, media_id)
    media = store.media(media_id)
    assert (media.state, media.error) == ("failed", "process_failed")
    assert "broke off 3 times" in media.message


async def test_a_refusal_is_told_and_a_retry_sends_it_again(start, store, tmp_path):
    refusal = ApiError("invalid_audio", "the file has no audio")
    intake = start(api := ScriptedApi(refusal, ANSWER))
    media_id = await add(intake, store)
    await ended(intake, media_id)
    media = store.media(media_id)
    assert (media.state, media.error) == ("failed", "invalid_audio")
    assert media.message == "The file has no audio. " + refusal.advice
    assert len(staged(tmp_path)) == 1, "kept for a retry"
    await asyncio.to_thread(intake.retry, store, media_id)
    await ended(intake, media_id)
    assert store.media(media_id).state == "completed"
    assert len(api.seen) == 2


async def test_a_failing_job_fails_the_recording(start, store):
    intake = start(api := ScriptedApi({"jobId": "job_1"}, has_queue=True))
    api.jobs = [{"state": "failed", "error": "audio_too_long", "message": "too long"}]
    media_id = await add(intake, store)
    await ended(intake, media_id)
    assert store.media(media_id).error == "audio_too_long"


async def test_cancelling_stops_the_job_too(start, store):
    intake = start(api := ScriptedApi({"jobId": "job_1"}, has_queue=True))
    media_id = await add(intake, store)
    await until(lambda: store.media(media_id).job_id)
    await asyncio.to_thread(intake.cancel, store, media_id)
    assert store.media(media_id).state == "cancelled"
    assert api.cancelled == ["job_1"]


async def test_deleting_one_under_way_leaves_nothing(start, store, tmp_path):
    intake = start(api := ScriptedApi())
    media_id = await add(intake, store)
    await asyncio.wait_for(api.at_work.wait(), WAIT_S)
    await asyncio.to_thread(intake.delete, store, [media_id])
    assert store.media(media_id) is None
    assert intake.progress(media_id) is None
    assert staged(tmp_path) == []


async def test_what_is_there_already_is_added_only_if_its_user_wants(start, store, tmp_path):
    intake = start(ScriptedApi(ANSWER))
    first = await add(intake, store, again=False)
    await ended(intake, first)
    with pytest.raises(AlreadyThere) as caught:
        await add(intake, store, again=False)
    assert caught.value.media.id == first
    assert staged(tmp_path) == []
    assert await add(intake, store, "another sound", again=False) != first
    assert await add(intake, store) != first


async def test_a_store_that_cannot_compare_keeps_nobody_from_adding(start, store, monkeypatch):
    def refuse(*_: object) -> None:
        raise StoreError("The audio cannot be fetched.")

    monkeypatch.setattr(store, "same_audio", refuse)
    intake = start(ScriptedApi(ANSWER))
    await ended(intake, media_id := await add(intake, store, again=False))
    assert store.media(media_id).state == "completed"


async def test_one_under_way_stops_in_the_bin_and_can_go_on_after_it(start, store, tmp_path):
    intake = start(api := ScriptedApi())
    media_id = await add(intake, store)
    await asyncio.wait_for(api.at_work.wait(), WAIT_S)
    await asyncio.to_thread(intake.to_bin, store, [media_id])
    assert intake.progress(media_id) is None
    assert len(staged(tmp_path)) == 1
    await asyncio.to_thread(intake.resume, store)
    assert intake.progress(media_id) is None
    await asyncio.to_thread(intake.restore, store, [media_id])
    assert store.media(media_id).state == "cancelled"
    api.answers.append(ANSWER)
    await asyncio.to_thread(intake.retry, store, media_id)
    await ended(intake, media_id)
    assert store.media(media_id).state == "completed"


async def test_the_bin_is_emptied_after_thirty_days_with_all_audio(start, store, tmp_path):
    intake = start(ScriptedApi(ANSWER, ANSWER))
    for text in ("old", "new"):
        await ended(intake, media_id := await add(intake, store, text))
        age = timedelta(days=30 if text == "old" else 29)
        store.update_media(media_id, deleted_at=datetime.now(UTC) - age)
    await asyncio.to_thread(intake.empty_bin, store)
    [kept] = store.in_bin_since(datetime.now(UTC))
    assert kept == media_id
    assert [path.stem for path in (tmp_path / "library" / "audio").iterdir()] == [media_id]


async def test_a_live_recording_is_known_by_the_audio_that_is_kept(start, store):
    intake = start(ScriptedApi())
    media_id, path = await asyncio.to_thread(
        intake.add_live, store, "Live recording", None, ".webm", {}
    )
    path.write_bytes(b"live sound")
    await asyncio.to_thread(intake.save, store, media_id, ANSWER)
    await ended(intake, media_id)
    digest = hashlib.sha256(store.audio(media_id).read_bytes()).hexdigest()
    assert store.media(media_id).sha256 == digest


async def test_a_full_disk_delays_the_answer_and_does_not_lose_it(start, store):
    store.refusals = 3
    intake = start(api := ScriptedApi(ANSWER))
    media_id = await add(intake, store)
    await ended(intake, media_id)
    assert store.media(media_id).state == "completed"
    assert len(api.seen) == 1, "the recording is not transcribed again"


async def test_an_answer_survives_a_restart(start, store):
    store.refusals = 10**9
    intake = start(ScriptedApi(ANSWER))
    media_id = await add(intake, store)
    await until(lambda: trouble(intake, media_id))
    await intake.aclose()
    store.refusals = 0
    again = start(api := ScriptedApi())
    await asyncio.to_thread(again.resume, store)
    await ended(again, media_id)
    assert store.analysis(media_id).response == ANSWER
    assert api.seen == []


async def test_a_job_is_followed_on_after_a_restart(start, store):
    intake = start(ScriptedApi({"jobId": "job_1"}, has_queue=True))
    media_id = await add(intake, store)
    await until(lambda: store.media(media_id).job_id)
    await intake.aclose()
    again = start(api := ScriptedApi(has_queue=True))
    api.jobs = [{"state": "completed", "progress": 100, "result": ANSWER}]
    await asyncio.to_thread(again.resume, store)
    await ended(again, media_id)
    assert store.media(media_id).state == "completed"
    assert api.seen == [], "not sent again"


async def test_a_recording_whose_audio_is_gone_fails_with_words(start, store, tmp_path):
    intake = start(api := ScriptedApi())
    media_id = await add(intake, store)
    await asyncio.wait_for(api.at_work.wait(), WAIT_S)
    await intake.aclose()
    for path in staged(tmp_path):
        path.unlink()
    again = start(ScriptedApi())
    await asyncio.to_thread(again.resume, store)
    await ended(again, media_id)
    assert "no longer here" in store.media(media_id).message


async def test_only_so_many_are_sent_at_once(start, store):
    intake = start(api := ScriptedApi())
    for number in range(4):
        await add(intake, store, str(number))
    await until(lambda: len(api.seen) == 2)
    waiting = [media for media in store.unfinished() if intake.progress(media.id)]
    assert len(waiting) == 4
    await asyncio.sleep(0)
    assert len(api.seen) == 2
