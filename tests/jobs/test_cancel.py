"""Jobs that are cancelled, at each point of their way."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from echostream.errors import JobNotFound, StorageFull
from echostream.jobs import new_job_id
from echostream.jobs.active import ActiveJob, JobEnd
from echostream.jobs.faults import Patience
from echostream.jobs.worker import JobWorker, WorkerOptions
from echostream.lifeline import Grace
from jobs.place import LOCK_S, Jobs, Place
from redis_server import RedisServer

BOUND_S = 3.0
"""Longest time from asking for it to the end of an active job."""
LONG_S = 600


@pytest.fixture(scope="module")
def shared(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place whose one worker does one job at a time, so that none starts beside another."""
    with Place(redis.url, tmp_path_factory.mktemp("shared")) as place:
        place.worker(segment_s=0.1, insights_s=LONG_S, worker_concurrency=1)
        yield place


@pytest.fixture
async def single(shared: Place) -> AsyncIterator[Jobs]:
    """The jobs of that worker, which is idle."""
    found = Jobs(shared)
    await found.workers_idle()
    yield found
    await found.aclose()
    shared.hold_decoding.unlink(missing_ok=True)


@pytest.mark.parametrize("moment", ["decoding", "transcribing", "analysing"])
async def test_an_active_job_is_stopped_and_the_next_one_done(single: Jobs, moment: str) -> None:
    if moment == "decoding":
        single.place.hold_decoding.touch()
    before = len(single.place.events(moment))
    seconds = LONG_S if moment == "transcribing" else 1
    job_id = await single.add(seconds=seconds, insights=True)
    following = await single.add()
    await single.more_begun(moment, before)

    assert await single.queue.cancel(job_id) == "active"
    asked = time.monotonic()
    assert await single.queue.cancel(job_id) == "active"  # asking twice does no harm
    status = await single.ended(job_id, BOUND_S)

    assert time.monotonic() - asked < BOUND_S
    assert (status.state, status.error) == ("failed", "job_cancelled")
    assert status.attempts == 1
    assert status.progress < 100
    assert await single.storage.read_result(job_id) is None
    single.place.hold_decoding.unlink(missing_ok=True)
    assert (await single.ended(following, 10)).state == "completed"
    # One that has ended is removed.
    assert await single.queue.cancel(job_id) is None
    assert await single.queue.exists(job_id) is False


async def test_a_waiting_job_is_removed(single: Jobs) -> None:
    before = len(single.place.events("transcribing"))
    first = await single.add(seconds=LONG_S)
    await single.more_begun("transcribing", before)
    waiting = await single.add(prompt="never")
    assert (await single.status(waiting)).state == "waiting"

    assert await single.queue.cancel(waiting) is None

    with pytest.raises(JobNotFound):
        await single.status(waiting)
    assert await single.queue.cancel(first) == "active"
    await single.ended(first, BOUND_S)
    following = await single.add()
    assert (await single.ended(following)).state == "completed"
    assert single.place.events("transcribing", "never") == []


async def test_a_job_that_waits_for_its_next_attempt_is_removed(single: Jobs) -> None:
    job_id = await single.add(prompt="broken")
    await single.reached(job_id, "delayed")

    assert await single.queue.cancel(job_id) is None

    with pytest.raises(JobNotFound):
        await single.status(job_id)
    # Another goes through its own pause meanwhile, so this one's is over.
    other = await single.add(prompt="broken", attempts=2)
    assert (await single.ended(other)).error == "process_failed"
    assert len(single.place.events("transcribing", "broken")) == 3


async def test_a_job_cancelled_as_its_worker_died_is_not_done_by_the_next(jobs: Jobs) -> None:
    worker = jobs.place.worker(segment_s=0.1)
    job_id = await jobs.add(seconds=LONG_S)
    await jobs.begun("transcribing")
    worker.signal(signal.SIGSTOP)  # so that it cannot see it
    assert await jobs.queue.cancel(job_id) == "active"
    worker.kill()

    jobs.place.worker(segment_s=0.1)
    status = await jobs.ended(job_id, LOCK_S + 15)

    assert (status.state, status.error) == ("failed", "job_cancelled")


async def test_a_job_cancelled_as_it_meets_a_fault_does_not_wait(jobs: Jobs) -> None:
    async def meet_a_fault(job: ActiveJob) -> dict[str, Any]:
        assert await jobs.queue.cancel(job.job_id) == "active"
        raise StorageFull("no room")

    async def on_end(end: JobEnd) -> None:
        ends.append(end.error)

    ends: list[str | None] = []
    options = WorkerOptions(1, patience=Patience(first_s=LONG_S))
    worker = JobWorker(jobs.queue, jobs.place.redis_url, meet_a_fault, options, on_end=on_end)
    working = asyncio.create_task(worker.run())
    await jobs.add_data(job_id := new_job_id(), {})

    status = await jobs.reached(job_id, "failed", "delayed")

    await worker.close(Grace(0))
    await working
    assert (status.state, status.error) == ("failed", "job_cancelled")
    assert ends == ["job_cancelled"]


async def test_cancelling_an_unknown_job(jobs: Jobs) -> None:
    with pytest.raises(JobNotFound):
        await jobs.queue.cancel("job_unknown")
