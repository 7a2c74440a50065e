"""Workers that are killed and a Redis that goes away: no job is lost, stuck or done by halves."""

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs.lossy import LossyProxy
from jobs.place import LOCK_S, Jobs, Place, WorkerProcess, free_port, metrics, until, words
from redis_server import RedisServer

SECONDS = 6
BACK_S = LOCK_S + 8
"""The longest time until a lost job is active again: its lock expires, two checks find it."""
IDLE_S = 60.0
OUTAGE_S = 10.0


@pytest.fixture(scope="module", autouse=True)
def idler(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place whose worker has nothing to do while other tests take their time."""
    with Place(redis.url, tmp_path_factory.mktemp("idler")) as place:
        place.worker()
        yield place


async def _killed_at(jobs: Jobs, job_id: str, moment: str, worker: WorkerProcess | None) -> int:
    """Kill the worker that has the job when it has come to the moment; gives its process id.

    `worker` is the only one there is, where nothing tells who has the job.
    """
    place = jobs.place
    if moment == "just taken":
        await jobs.reached(job_id, "active")
    elif moment == "decoding":
        await jobs.begun("decoding")
    elif moment == "analysing":
        await jobs.begun("analysing")
    elif moment == "result written":
        await until(lambda: place.results(), every_s=0.001)
    else:
        share = int(moment.removesuffix(" %"))

        async def far_enough() -> bool:
            return (await jobs.status(job_id)).progress >= share

        await until(far_enough)
    if worker is None:
        pid = (place.events("decoding") or [await jobs.begun("decoding")])[-1].pid
        worker = place.worker_of(pid)
    worker.kill()
    return worker.pid


async def _is_done_once(jobs: Jobs, job_id: str) -> None:
    """The job ends well, its progress never goes back, and all there is of it in the end is one
    right result."""
    seen = [0]

    async def look() -> bool:
        status = await jobs.status(job_id)
        seen.append(status.progress)
        return status.state in ("completed", "failed")

    await until(look, BACK_S + 20)
    assert seen == sorted(seen)
    status = await jobs.ended(job_id)
    assert (status.state, status.attempts) == ("completed", 1)
    assert await jobs.text(job_id) == words(SECONDS)
    assert jobs.place.staged() == []
    assert jobs.place.results() == [f"{job_id}.json"]
    assert (await jobs.queue.counts())["completed"] == 1
    assert await jobs.stalls(job_id) <= 1


@pytest.mark.parametrize("moment", ["decoding", "20 %", "60 %", "analysing", "result written"])
async def test_killed_while_a_second_worker_is_up(jobs: Jobs, moment: str) -> None:
    ports = [free_port() for _ in range(2)]
    for port in ports:
        jobs.place.worker(segment_s=0.15, insights_s=0.5, worker_metrics_port=port)
    await jobs.workers_idle(2)
    if moment == "decoding":
        jobs.place.hold_decoding.touch()
    job_id = await jobs.add(seconds=SECONDS, insights=True)

    killed = await _killed_at(jobs, job_id, moment, None)
    jobs.place.hold_decoding.unlink(missing_ok=True)

    await _is_done_once(jobs, job_id)
    if moment != "result written":
        assert jobs.place.events("analysing")[-1].pid != killed
        counted = [found["echostream_jobs_stalled_total"] for found in map(metrics, ports) if found]
        # A machine that is too busy to renew a lock adds to it, and sets the job's own count back.
        assert [each >= 1 for each in counted] == [True]


@pytest.mark.parametrize("moment", ["just taken", "decoding", "40 %", "70 %", "result written"])
async def test_killed_while_it_is_alone_and_another_comes(jobs: Jobs, moment: str) -> None:
    worker = jobs.place.worker(segment_s=0.15, insights_s=0.5)
    if moment == "decoding":
        jobs.place.hold_decoding.touch()
    job_id = await jobs.add(seconds=SECONDS, insights=True)

    await _killed_at(jobs, job_id, moment, worker)
    jobs.place.hold_decoding.unlink(missing_ok=True)
    jobs.place.worker(segment_s=0.05, insights_s=0)

    await _is_done_once(jobs, job_id)


async def test_redis_is_away_for_a_while(fragile: Jobs, mortal: RedisServer) -> None:
    place = fragile.place
    workers = [place.worker(segment_s=0.25) for _ in range(2)]
    await fragile.workers_idle(2)
    running = [await fragile.add(seconds=30, prompt=f"running-{n}") for n in range(2)]
    ending = [await fragile.add(seconds=12, prompt=f"ending-{n}") for n in range(2)]
    waiting = [await fragile.add(prompt=f"waiting-{n}") for n in range(6)]
    await until(lambda: len(place.events("transcribing")) == 4)

    mortal.stop()
    stopped = time.monotonic()
    await until(lambda: time.monotonic() - stopped > OUTAGE_S, OUTAGE_S + 1)
    mortal.start()
    back = time.time()

    for job_id, seconds in (
        *((job_id, 12) for job_id in ending),
        *((job_id, 1) for job_id in waiting),
        *((job_id, 30) for job_id in running),
    ):
        status = await fragile.ended(job_id, 60)
        assert (status.state, status.attempts) == ("completed", 1)
        assert await fragile.text(job_id) == words(seconds)
    assert place.staged() == []
    assert len(place.results()) == 10
    assert all(worker.is_alive for worker in workers)
    after = [event for event in place.events("transcribing") if event.at_s > back]
    assert after[0].at_s - back < 6
    new = await fragile.add(prompt="new")
    added = time.time()
    await fragile.ended(new)
    assert place.events("transcribing", "new")[0].at_s - added < 2


async def test_redis_hangs_twice_for_a_while(fragile: Jobs, mortal: RedisServer) -> None:
    worker = fragile.place.worker(segment_s=0.25)
    job_ids = [await fragile.add(seconds=90, prompt="running"), await fragile.add()]
    await fragile.begun("transcribing", "running")

    for starts in (2, 3):
        mortal.pause()
        paused = time.monotonic()
        await until(lambda since=paused: time.monotonic() - since > LOCK_S + 3)
        mortal.resume()
        # The worker gets its own job again, which it has not lost.
        await until(partial(_has_started, fragile, job_ids[0], starts))

    for job_id in job_ids:
        status = await fragile.ended(job_id, 60)
        assert (status.state, status.attempts) == ("completed", 1)
    assert await fragile.text(job_ids[0]) == words(90)
    # The worker still had the job, so it must not start again when it gets the job again.
    assert len(fragile.place.events("transcribing", "running")) == 1
    assert worker.is_alive
    new = await fragile.add(prompt="new")
    added = time.time()
    await fragile.ended(new)
    assert fragile.place.events("transcribing", "new")[0].at_s - added < 2


async def test_a_worker_is_stopped_for_a_while_after_a_crash(jobs: Jobs) -> None:
    """As when a laptop sleeps: the job has lost two workers then, of which one lives."""
    first = jobs.place.worker(segment_s=0.3)
    job_id = await jobs.add(seconds=40)
    await jobs.begun("transcribing")
    first.kill()
    second = jobs.place.worker(segment_s=0.3)
    await until(partial(_has_started, jobs, job_id, 2))
    jobs.place.worker(segment_s=0.05)
    second.signal(signal.SIGSTOP)
    await until(partial(_has_started, jobs, job_id, 3))
    second.signal(signal.SIGCONT)

    status = await jobs.ended(job_id, 60)
    assert (status.state, status.attempts) == ("completed", 1)
    assert await jobs.text(job_id) == words(40)


async def test_redis_hangs_twice_for_two_workers(fragile: Jobs, mortal: RedisServer) -> None:
    """Each of them loses the job to the other one, and both live: that is no reason to give up."""
    for _ in range(2):
        fragile.place.worker(segment_s=0.3, worker_concurrency=1)
    await fragile.workers_idle(2)
    job_id = await fragile.add(seconds=90)
    await fragile.begun("transcribing")

    for times in (1, 2):
        mortal.pause()
        paused = time.monotonic()
        await until(lambda since=paused: time.monotonic() - since > LOCK_S + 3)
        mortal.resume()
        await until(partial(_has_been_taken_back, fragile, job_id, times))

    status = await fragile.ended(job_id, 90)
    assert (status.state, status.attempts) == ("completed", 1)
    assert await fragile.text(job_id) == words(90)


async def _has_been_taken_back(jobs: Jobs, job_id: str, times: int) -> bool:
    """Whether it has been given to another worker, or waits for one that has time; and whether
    nobody minds."""
    is_moved = await jobs.starts(job_id) > times or (await jobs.status(job_id)).state == "waiting"
    return is_moved and await jobs.stalls(job_id) == 0


async def _has_started(jobs: Jobs, job_id: str, times: int) -> bool:
    return await jobs.starts(job_id) >= times


async def test_a_worker_warns_of_a_redis_that_may_lose_jobs(
    fragile: Jobs, mortal: RedisServer
) -> None:
    mortal.configure("maxmemory-policy", "allkeys-lru")
    worker = fragile.place.worker()
    await fragile.workers_idle()
    [warning] = [each for each in worker.logs() if each["event"] == "redis_may_lose_jobs"]
    assert "noeviction" in warning["hint"]


async def test_redis_is_away_when_the_worker_starts(fragile: Jobs, mortal: RedisServer) -> None:
    mortal.stop()
    worker = fragile.place.worker()

    def complaints() -> set[str]:
        return {line["queue"] for line in worker.logs() if line["event"] == "redis_unavailable"}

    queue = fragile.place.queue_name
    await until(lambda: complaints() == {queue, f"{queue}-webhooks"}, what="complaints about Redis")
    assert worker.is_alive

    mortal.start()
    back = time.time()
    job_id = await fragile.add()
    assert (await fragile.ended(job_id)).state == "completed"
    assert fragile.place.events("transcribing")[0].at_s - back < 4


@pytest.mark.parametrize("moment", ["starting", "idle", "busy", "busy, and Redis hangs"])
async def test_a_signal_while_redis_is_away(
    fragile: Jobs, mortal: RedisServer, moment: str
) -> None:
    if moment == "starting":
        mortal.stop()
    worker = fragile.place.worker(segment_s=0.1, shutdown_grace_s=1)
    if moment == "starting":
        await until(worker.logs)
    else:
        await fragile.workers_idle()
    job_id = await fragile.add(seconds=600) if "busy" in moment else None
    if job_id:
        await fragile.begun("transcribing")
    if "hangs" in moment:
        mortal.pause()
    else:
        mortal.stop()

    worker.signal(signal.SIGTERM)
    signalled = time.monotonic()
    assert await worker.ended(30) == 0
    assert time.monotonic() - signalled < 12

    if "hangs" in moment:
        mortal.resume()
    mortal.start()
    if job_id:
        fragile.place.worker()
        assert (await fragile.ended(job_id)).state == "completed"


@pytest.mark.parametrize("result", ["completed", "failed"])
async def test_the_answer_of_redis_to_the_end_of_a_job_is_lost(
    jobs: Jobs, redis: RedisServer, result: str
) -> None:
    """Redis has done it, the worker does not hear so: what follows a job's end must still come."""
    async with LossyProxy(redis.port) as proxy:
        jobs.place.worker(redis_url=proxy.url)
        await jobs.workers_idle()
        proxy.lose = b"results/" if result == "completed" else b"invalid_audio"
        job_id = await jobs.add(audio=None if result == "completed" else b"junk")
        await asyncio.wait_for(proxy.lost.wait(), 20)

        status = await jobs.ended(job_id)

        assert (status.state, status.attempts) == (result, 1)
        assert (await jobs.ended(await jobs.add())).state == "completed"


async def test_killed_as_redis_hears_of_the_end(jobs: Jobs, redis: RedisServer) -> None:
    """Nobody is left who could clean up behind it, so that must have been done before."""
    async with LossyProxy(redis.port) as proxy:
        worker = jobs.place.worker(redis_url=proxy.url)
        await jobs.workers_idle()
        proxy.lose = b"results/"
        job_id = await jobs.add()
        await asyncio.wait_for(proxy.lost.wait(), 20)
        worker.kill()

    assert (await jobs.ended(job_id)).state == "completed"


@pytest.mark.parametrize("fault", ["no such storage", "port"])
async def test_a_worker_with_impossible_settings_says_so_and_ends(place: Place, fault: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings: dict[str, object] = {
            "no such storage": {"storage_url": "file:///proc/nowhere"},
            "port": {"worker_metrics_port": taken.getsockname()[1]},
        }[fault]
        worker = place.worker(**settings)
        assert await worker.ended() == 1
    assert worker.logs()[-1]["level"] == "error"


@pytest.mark.parametrize("password", ["", "wr0ng"])
async def test_a_worker_that_redis_refuses_says_so_and_ends(
    fragile: Jobs, mortal: RedisServer, password: str
) -> None:
    async with Redis.from_url(mortal.url) as client:
        await client.config_set("requirepass", "r1ght")
    worker = fragile.place.worker(redis_url=mortal.url.replace("//", f"//:{password}@"))

    assert await worker.ended() == 1

    events = {line["event"]: line for line in worker.logs()}
    assert "AuthenticationError" in events["redis_unavailable"]["reason"]
    assert events["worker_failed"]["code"] == "queue_unavailable"
    assert "wr0ng" not in str(worker.logs())

    right = Place(mortal.url.replace("//", "//:r1ght@"), _made(fragile.place.folder / "right"))
    with right as place:
        jobs = Jobs(place)
        place.worker()
        assert (await jobs.ended(await jobs.add())).state == "completed"
        await jobs.aclose()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def test_an_idle_worker_takes_a_job_at_once(idler: Place, jobs: Jobs, tmp_path: Path) -> None:
    idle = Jobs(idler)
    await idle.workers_idle()
    started = (idler.folder / "events").stat().st_mtime
    await until(lambda: time.time() - started > IDLE_S, IDLE_S + 1, what="the idle time")
    added = time.time()
    job_id = await idle.add(prompt="at last")
    assert (await idle.ended(job_id)).state == "completed"
    assert idler.events("transcribing", "at last")[0].at_s - added < 2
    await idle.aclose()
