"""What two workers do with jobs while nothing goes wrong around them."""

import asyncio
import io
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from echostream.jobs import JobStatus, new_job_id
from echostream.worker.sweep import sweep
from jobs.place import LOCK_S, Jobs, Place, free_port, metrics, until, wav, words
from redis_server import RedisServer

TIME_LIMIT_S = 6
STATES = ("waiting", "active", "completed")


@pytest.fixture(scope="module")
def shared(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place with two workers, of two jobs at a time each."""
    with Place(redis.url, tmp_path_factory.mktemp("shared")) as place:
        for _ in range(2):
            place.worker(segment_s=0.05, job_timeout_s=TIME_LIMIT_S, log_level="warning")
        yield place


@pytest.fixture
async def pair(shared: Place) -> AsyncIterator[Jobs]:
    """The jobs of those two workers, both up."""
    found = Jobs(shared)
    await found.workers_idle(2)
    yield found
    await found.aclose()


async def test_a_hundred_jobs_are_each_done_once_by_two_workers(pair: Jobs) -> None:
    long = [await pair.add(seconds=20, prompt=f"long-{number}") for number in range(3)]
    watching = [asyncio.create_task(_watched(pair, job_id)) for job_id in long]
    short = {number: await pair.add(prompt=f"short-{number}") for number in range(100)}

    for number, job_id in short.items():
        status = await pair.ended(job_id, 90)
        assert (status.state, status.attempts) == ("completed", 1)
        assert status.result == {"result": f"results/{job_id}.json"}
        assert (await pair.starts(job_id), await pair.stalls(job_id)) == (1, 0)
        assert len(pair.place.events("transcribing", f"short-{number}")) == 1
        assert await pair.text(job_id) == "word0"
    seen = await asyncio.gather(*watching)
    for job_id in long:
        assert await pair.text(job_id) == words(20)

    for statuses in seen:
        states = [STATES.index(status.state) for status in statuses]
        assert states == sorted(states)
        assert states[-1] == STATES.index("completed")
        progress = [status.progress for status in statuses]
        assert progress == sorted(progress)
        assert len({percent for percent in progress if 10 < percent < 90}) >= 2
        assert progress[-1] <= 100
    assert len({event.pid for event in pair.place.events("transcribing")}) == 2
    assert pair.place.staged() == []
    assert len(pair.place.results()) == 103


async def _watched(jobs: Jobs, job_id: str) -> list[JobStatus]:
    """The job as it looked again and again until it had ended."""
    seen = []

    async def look() -> bool:
        seen.append(await jobs.status(job_id))
        return seen[-1].state in ("completed", "failed")

    await until(look, 90, every_s=0.05)
    return seen


async def test_a_fault_that_may_pass_is_tried_three_times(pair: Jobs) -> None:
    job_id = await pair.add(prompt="broken")

    assert (await pair.reached(job_id, "delayed")).attempts == 1
    status = await pair.ended(job_id)

    assert (status.state, status.attempts) == ("failed", 3)
    assert (status.error, status.message) == ("process_failed", "the engine broke")
    first, second, third = (event.at_s for event in pair.place.events("transcribing", "broken"))
    assert 2 <= second - first < 3.9
    assert 4 <= third - second < 8
    assert await pair.storage.read_result(job_id) is None


async def test_bad_input_fails_at_once(pair: Jobs) -> None:
    junk = await pair.add(audio=b"this is no audio")
    empty = await pair.add(audio=b"")
    missing = new_job_id()
    await pair.add_data(missing, {"audio": missing})
    nothing, strange, hostile = new_job_id(), new_job_id(), new_job_id()
    await pair.add_data(nothing, {})
    await pair.add_data(strange, {"audio": "x", "task": "sing"})
    await pair.add_data(hostile, {"audio": "../../etc/passwd"})

    for job_id, code in (
        (junk, "invalid_audio"),
        (empty, "invalid_audio"),
        (missing, "staged_audio_missing"),
        (nothing, "invalid_request"),
        (strange, "invalid_request"),
        (hostile, "invalid_request"),
    ):
        status = await pair.ended(job_id, 10)
        assert (status.state, status.error, status.attempts) == ("failed", code, 1)
        assert status.message
        assert "/" not in status.message


async def test_a_job_that_takes_too_long_is_ended(pair: Jobs) -> None:
    started = time.monotonic()
    job_id = await pair.add(seconds=600, prompt="endless")
    status = await pair.ended(job_id)
    assert (status.state, status.error, status.attempts) == ("failed", "job_timeout", 1)
    assert TIME_LIMIT_S <= time.monotonic() - started < TIME_LIMIT_S + 4
    assert await pair.storage.read_result(job_id) is None

    # Its place is free again: four jobs run at once.
    others = [await pair.add(seconds=40, prompt="beside") for _ in range(4)]
    for other in others:
        await pair.reached(other, "active", timeout_s=5)
    assert {(await pair.ended(other)).state for other in others} == {"completed"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_short_jobs_end_and_hands_long_ones_back(
    jobs: Jobs, number: signal.Signals
) -> None:
    grace_s = 2 * (LOCK_S + 1)  # the locks must be kept up meanwhile
    worker = jobs.place.worker(segment_s=0.2, shutdown_grace_s=grace_s)
    long = await jobs.add(seconds=100, prompt="long")
    await jobs.begun("transcribing", "long")
    short = await jobs.add(seconds=6, prompt="short")
    await jobs.begun("transcribing", "short")

    worker.signal(number)
    signalled = time.monotonic()
    later = await jobs.add(prompt="later")
    assert await worker.ended() == 0
    assert time.monotonic() - signalled < grace_s + 4

    assert (await jobs.ended(short)).state == "completed"
    handed_back = await jobs.status(long)
    assert handed_back.state in ("waiting", "delayed")
    assert handed_back.attempts == 0
    assert (await jobs.status(later)).state == "waiting"
    assert not [line for line in worker.logs() if line["level"] in ("error", "critical")]

    second = jobs.place.worker(segment_s=0)
    for job_id in (long, later):
        status = await jobs.ended(job_id)
        assert (status.state, status.attempts) == ("completed", 1)
        assert await jobs.stalls(job_id) == 0
    assert await jobs.text(long) == words(100)
    assert [event.pid for event in jobs.place.events("transcribing", "long")] == [
        worker.pid,
        second.pid,
    ]

    # And with nothing to do it goes at once.
    await jobs.workers_idle()
    second.signal(number)
    signalled = time.monotonic()
    assert await second.ended(5) == 0
    assert time.monotonic() - signalled < 2.5


async def test_a_worker_that_waits_for_what_does_not_end_leaves(jobs: Jobs) -> None:
    worker = jobs.place.worker(segment_s=60, shutdown_grace_s=1)
    job_id = await jobs.add(prompt="stuck")
    await jobs.begun("transcribing", "stuck")
    worker.signal(signal.SIGTERM)
    assert await worker.ended(20) == 0
    assert "left_late" in [line["event"] for line in worker.logs()]

    jobs.place.worker(segment_s=0)
    assert (await jobs.ended(job_id)).state == "completed"


async def test_worker_metrics(jobs: Jobs) -> None:
    port = free_port()
    # Only the last job comes near its time: the others take two seconds on an idle machine.
    jobs.place.worker(
        segment_s=0.1, insights_s=0, worker_concurrency=4, worker_metrics_port=port, job_timeout_s=8
    )
    assert await until(lambda: metrics(port), what="metrics")
    waited = await jobs.add(seconds=20, prompt="half")
    await jobs.add(seconds=20, prompt="half")
    await until(lambda: len(jobs.place.events("transcribing", "half")) == 2)
    assert metrics(port)["echostream_worker_busy_share"] == 0.5
    await jobs.add(prompt="broken", attempts=2)
    await jobs.add(audio=b"junk")
    late = await jobs.add(seconds=200)
    await jobs.ended(late)
    await jobs.ended(waited)

    async def counted() -> bool:
        found = metrics(port)
        return (
            found.get("echostream_jobs_ended_total{completed}", 0)
            + found.get("echostream_jobs_ended_total{failed}", 0)
            == 5
        )

    await until(counted)
    found = metrics(port)
    assert found["echostream_jobs_ended_total{completed}"] == 2
    assert found["echostream_jobs_ended_total{failed}"] == 3
    assert found["echostream_jobs_retried_total"] == 1
    assert found["echostream_jobs_stalled_total"] == 0
    assert found["echostream_worker_busy_share"] == 0
    assert found["echostream_job_run_seconds_count"] == 2
    assert found["echostream_job_run_seconds_sum"] >= 2 * 20 * 0.1
    # Two runs, two attempts at the broken one, one each at the junk and the late one.
    assert found["echostream_job_wait_seconds_count"] == 6


async def test_sweep_removes_what_no_job_owns(jobs: Jobs, tmp_path: Path) -> None:
    owned, orphan, fresh = await jobs.add(), new_job_id(), new_job_id()
    for job_id in (orphan, fresh):
        await jobs.storage.stage(job_id, io.BytesIO(wav(1)))
    for job_id in (owned, orphan):
        await jobs.storage.write_result(job_id, b"{}")
    data = tmp_path / "data"
    for path in (*data.glob(f"*/{owned}*"), *data.glob(f"*/{orphan}*")):
        os.utime(path, (time.time() - 100,) * 2)

    removed = await sweep(jobs.storage, jobs.queue, older_than_s=60)

    assert removed == 2
    assert jobs.place.staged() == sorted((owned, fresh))
    assert jobs.place.results() == [f"{owned}.json"]


async def test_sweep_removes_audio_that_could_not_be_removed_in_time(jobs: Jobs) -> None:
    jobs.place.worker(segment_s=0)
    done = await jobs.add()
    await jobs.ended(done)
    await jobs.storage.stage(done, io.BytesIO(wav(1)))  # as if it had stayed
    broken = await jobs.add(prompt="broken", attempts=1)
    assert (await jobs.ended(broken)).error == "process_failed"  # may be tried again

    assert await sweep(jobs.storage, jobs.queue, older_than_s=0) == 1

    assert jobs.place.staged() == [broken]
    assert jobs.place.results() == [f"{done}.json"]


async def test_results_go_when_their_jobs_are_no_longer_kept(place: Place) -> None:
    jobs = Jobs(place, retention_s=1)
    place.worker()
    old = await jobs.add()
    ended = await jobs.ended(old)
    assert ended.finished_s is not None
    await until(lambda: time.time() > ended.finished_s + 1.1, what="the end of the retention")
    new = await jobs.add()
    await jobs.ended(new)
    assert await jobs.queue.exists(old) is False  # Redis forgets old jobs when one ends
    assert place.results() == sorted((f"{old}.json", f"{new}.json"))

    assert await sweep(jobs.storage, jobs.queue, older_than_s=0) == 1

    assert place.results() == [f"{new}.json"]
    await jobs.aclose()
