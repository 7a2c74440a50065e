"""Jobs that wait for a fault of ours go on soon after it, and not all at once."""

import time

from redis.asyncio import Redis

from echostream.jobs import new_job_id
from echostream.jobs.faults import Waits
from echostream.jobs.waking import Waker
from jobs.place import Jobs, Place, until
from jobs.test_waits import away, staged

LONG_WAITED = 12
"""After so many waits a pause is as long as it gets."""


class _Queue:
    """Holds so many jobs that wait."""

    def __init__(self, count: int) -> None:
        self.waiting = [new_job_id() for _ in range(count)]
        self.tried = 0

    async def waiting_for_us(self, _turn_s: float) -> list[str]:
        return self.waiting.copy()

    async def retry(self, job_id: str) -> None:
        self.waiting.remove(job_id)
        self.tried += 1


async def test_one_job_a_turn_while_the_fault_lasts_then_more_and_more() -> None:
    queue, faults = _Queue(200), 0
    waker = Waker(queue, lambda: faults)
    tried = []
    for turn in range(12):
        if 1 <= turn < 5:
            faults += 1
        before = queue.tried
        await waker.turn()
        tried.append(queue.tried - before)
    assert tried == [1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64, 64]
    queue.waiting = []
    await waker.turn()
    queue.waiting = [new_job_id() for _ in range(5)]
    before = queue.tried
    await waker.turn()
    assert queue.tried - before <= 2  # what has begun to wait since is another fault


async def test_jobs_go_on_soon_after_the_fault(jobs: Jobs, place: Place) -> None:
    """Each would wait ten minutes."""
    waiting = [await staged(jobs, 1) for _ in range(3)]
    redis = Redis.from_url(place.redis_url)
    place.worker()
    await jobs.workers_idle()
    with away(place):
        for job_id in waiting:
            await jobs.add_data(job_id, {"audio": job_id, "insights": False})
            await jobs.reached(job_id, "delayed")
            key = f"bull:{place.queue_name}:{job_id}"
            fields = Waits(LONG_WAITED, 0.0).dump()
            fields[Waits.FIELDS[1]] = str(await _now_ms(redis))
            await redis.hset(key, mapping=fields)
            await jobs.queue.retry(job_id)
        for job_id in waiting:
            await _waits_long(jobs, job_id)
    for job_id in waiting:
        assert (await jobs.ended(job_id, timeout_s=60)).state == "completed"
    await redis.aclose()


async def _now_ms(redis: "Redis[bytes]") -> int:
    seconds, micros = await redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def _waits_long(jobs: Jobs, job_id: str) -> None:
    async def look() -> bool:
        status = await jobs.status(job_id)
        return status.state == "delayed" and (status.retry_s or 0) > time.time() + 300

    await until(look, what="a long wait")
