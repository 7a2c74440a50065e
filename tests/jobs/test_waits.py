"""Jobs that fail through no fault of their own: they wait, keep their audio, and end well."""

import io
import itertools
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from echostream.errors import (
    AudioTooLong,
    EchoStreamError,
    EngineAway,
    EngineRestarted,
    InvalidAudio,
    InvalidRequest,
    JobNotFound,
    ModelUnavailable,
    QueueUnavailable,
    StagedAudioMissing,
    StorageFull,
    StorageUnavailable,
    UrlFetchFailed,
    UrlNotAllowed,
)
from echostream.jobs import new_job_id
from echostream.jobs.faults import CANCELLED, Patience, Waits, as_error, is_audio_over
from echostream.storage import Storage
from echostream.worker.sweep import sweep
from jobs.place import Jobs, Place, until, wav, words
from redis_server import RedisServer

MORE_THAN_A_FEW = 5


@pytest.fixture(scope="module")
def shared(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place with one worker."""
    with Place(redis.url, tmp_path_factory.mktemp("shared")) as place:
        place.worker()
        yield place


@pytest.fixture
async def patient(shared: Place) -> AsyncIterator[Jobs]:
    found = Jobs(shared)
    await found.storage.check()
    await found.workers_idle()
    yield found
    await found.aclose()


@contextmanager
def away(place: Place) -> Iterator[None]:
    """The storage is gone, as a file system that is not mounted."""
    data = place.folder / "data"
    data.rename(aside := place.folder / "aside")
    try:
        yield
    finally:
        aside.rename(data)


@contextmanager
def refusing_results(place: Place) -> Iterator[None]:
    """Audio can be read, but no result can be written."""
    folder = place.folder / "data" / "results"
    if folder.exists():
        folder.rename(place.folder / "results-aside")
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        if (aside := place.folder / "results-aside").exists():
            aside.rename(folder)


FAULTS = {"storage away": away, "results cannot be written": refusing_results}


async def staged(jobs: Jobs, seconds: int) -> str:
    """Audio for a job that is yet to be added."""
    job_id = new_job_id()
    await jobs.storage.stage(job_id, io.BytesIO(wav(seconds)))
    return job_id


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_job_waits_for_the_storage(patient: Jobs, fault: str) -> None:
    job_id = await staged(patient, 2)
    with FAULTS[fault](patient.place):
        await patient.add_data(job_id, {"audio": job_id, "insights": False})
        for starts in range(1, MORE_THAN_A_FEW + 1):
            if starts > 1:
                assert await patient.queue.retry(job_id) in ("waiting", "active", "delayed")
            await until(partial(_has_started, patient, job_id, starts))
            status = await patient.reached(job_id, "delayed")
            assert (status.error, status.attempts) == ("storage_unavailable", 0)
            assert status.message
            assert status.retry_s is not None
            assert status.retry_s > status.created_s
    await patient.queue.retry(job_id)

    status = await patient.ended(job_id)

    assert (status.state, status.attempts, status.error) == ("completed", 1, None)
    assert await patient.text(job_id) == words(2)
    assert patient.place.staged() == []


async def _has_started(jobs: Jobs, job_id: str, times: int) -> bool:
    return await jobs.starts(job_id) >= times


async def test_a_short_fault_needs_nobody(patient: Jobs) -> None:
    with refusing_results(patient.place):
        job_id = await patient.add()
        await patient.reached(job_id, "delayed")
    assert (await patient.ended(job_id)).state == "completed"


async def test_a_job_that_waits_is_cancelled(patient: Jobs) -> None:
    with refusing_results(patient.place):
        job_id = await patient.add()
        await patient.reached(job_id, "delayed")
        assert await patient.queue.cancel(job_id) is None
        with pytest.raises(JobNotFound):
            await patient.status(job_id)


async def test_patience_ends_but_the_audio_stays(place: Place) -> None:
    jobs = Jobs(place)
    place.worker(job_patience_s=0)
    await jobs.workers_idle()
    with refusing_results(place):
        job_id = await jobs.add(seconds=2)
        await jobs.reached(job_id, "delayed")
        await jobs.queue.retry(job_id)
        status = await jobs.ended(job_id)
        assert (status.state, status.error) == ("failed", "storage_unavailable")
    assert place.staged() == [job_id]
    # It is not an orphan either.
    assert await sweep(jobs.storage, jobs.queue, older_than_s=0) == 0

    assert await jobs.queue.retry(job_id) in ("waiting", "active", "completed")
    assert (await jobs.ended(job_id)).state == "completed"
    assert await jobs.text(job_id) == words(2)
    await jobs.aclose()


async def test_a_job_that_has_cost_two_workers_is_tried_again(jobs: Jobs) -> None:
    job_id = await jobs.add(seconds=4, prompt="unlucky")
    for begun in (1, 2):
        await _kill_a_worker(jobs, begun)
    jobs.place.worker()
    status = await jobs.ended(job_id)
    assert (status.state, status.error) == ("failed", "job_stalled")

    assert await jobs.queue.retry(job_id) in ("waiting", "active", "completed")
    assert (await jobs.ended(job_id)).state == "completed"

    assert await jobs.text(job_id) == words(4)
    assert await jobs.stalls(job_id) == 0
    assert jobs.place.staged() == []


async def test_crashes_before_and_after_a_wait_are_not_added_up(jobs: Jobs) -> None:
    job_id = await jobs.add(seconds=4, prompt="unlucky")
    await _kill_a_worker(jobs, begun=1)
    with refusing_results(jobs.place):
        worker = jobs.place.worker()
        await jobs.reached(job_id, "delayed")
        worker.kill()
    await _kill_a_worker(jobs, begun=2)
    jobs.place.worker()
    assert (await jobs.ended(job_id)).state == "completed"


async def _kill_a_worker(jobs: Jobs, begun: int) -> None:
    """Once it is at work on the unlucky job, which then was begun so often."""
    worker = jobs.place.worker(segment_s=10)
    await until(lambda: len(jobs.place.events("transcribing", "unlucky")) == begun)
    worker.kill()


async def test_an_unclear_fault_is_tried_a_few_times_again(patient: Jobs) -> None:
    job_id = await patient.add(prompt="broken", attempts=1)
    assert (await patient.ended(job_id)).attempts == 1
    await patient.queue.retry(job_id)
    await until(lambda: len(patient.place.events("transcribing", "broken")) == 2)
    status = await patient.ended(job_id)
    assert (status.state, status.error, status.attempts) == ("failed", "process_failed", 1)


async def test_a_signal_while_jobs_wait(jobs: Jobs) -> None:
    worker = jobs.place.worker()
    await jobs.workers_idle()
    with refusing_results(jobs.place):
        waiting = [await jobs.add() for _ in range(3)]
        for job_id in waiting:
            await jobs.reached(job_id, "delayed")
        worker.signal(signal.SIGTERM)
        assert await worker.ended() == 0
    assert jobs.place.staged() == sorted(waiting)

    jobs.place.worker()
    for job_id in waiting:
        assert (await jobs.ended(job_id)).state == "completed"
    assert jobs.place.staged() == []


async def test_redis_has_no_memory_for_a_while(fragile: Jobs, mortal: RedisServer) -> None:
    """The end of a job cannot be stored; nothing is lost once it can."""
    fragile.place.worker(segment_s=0.2)
    await fragile.workers_idle()
    job_id = await fragile.add(seconds=5)
    await fragile.begun("transcribing")
    with mortal.without_memory():
        await until(fragile.place.results, what="the result")
        with pytest.raises(QueueUnavailable, match="maxmemory"):
            await fragile.queue.check()
    status = await fragile.ended(job_id)
    assert status.state == "completed"
    assert await fragile.text(job_id) == words(5)


# --- whose fault, and how long --------------------------------------------------------------------


OURS = (
    StorageFull("full"),
    StorageUnavailable("away"),
    QueueUnavailable("away"),
    EngineAway("gone"),
    ModelUnavailable("not here"),
    OSError(28, "No space left on device"),
    OSError(24, "Too many open files"),
    ConnectionRefusedError("refused"),
)
INPUT = (
    InvalidAudio("none"),
    AudioTooLong("long"),
    InvalidRequest("odd"),
    UrlNotAllowed("private"),
    StagedAudioMissing("gone"),
)
UNCLEAR = (EngineRestarted("twice"), UrlFetchFailed("503"), EchoStreamError("what"))


@pytest.mark.parametrize("error", [*OURS, *INPUT, *UNCLEAR], ids=repr)
def test_whose_fault(error: Exception) -> None:
    found = as_error(error)
    assert found is not None
    kinds = {"ours": OURS, "input": INPUT, "unclear": UNCLEAR}
    assert error in kinds[found.fault]
    assert is_audio_over(found.code) == (found.fault == "input")


def test_what_nobody_foresaw_is_no_fault_of_the_input() -> None:
    assert as_error(ValueError("x")) is None
    assert as_error(TimeoutError()) is None  # the input may be why it took so long


def test_audio_that_nobody_needs() -> None:
    assert is_audio_over(None)
    assert is_audio_over(CANCELLED)
    assert not is_audio_over("job_stalled")
    assert not is_audio_over("job_timeout")


def test_pauses_grow_to_a_bound_for_hours() -> None:
    patience = Patience(in_all_s=4 * 3600.0, first_s=2.0, longest_s=600.0)
    now_s, waits, pauses = 1e9, Waits(), []
    while (pause_s := patience.pause_s(waits, now_s)) is not None:
        pauses.append(pause_s)
        waits = Waits.load(*waits.one_more(now_s).dump().values())
        now_s += pause_s
    assert pauses[:3] == [2.0, 4.0, 8.0]
    assert max(pauses) == 600.0
    assert all(later >= earlier for earlier, later in itertools.pairwise(pauses))
    assert 4 * 3600 <= sum(pauses) <= 4 * 3600 + 600
    assert patience.pause_s(Waits(10_000, now_s), now_s) == 600.0


async def test_a_folder_that_is_not_mounted_is_no_missing_audio(tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}/mount")
    with pytest.raises(StorageUnavailable):
        async with storage.staged("job_1"):
            pass
    with pytest.raises(StorageUnavailable):
        await storage.is_staged("job_1")
