"""Webhooks whose worker dies at the wrong moment: each receiver is told, and can see doubles."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from echostream.jobs import new_job_id
from jobs.api_support import Message, Receiver, receiver
from jobs.lossy import LossyProxy
from jobs.place import Jobs, until, wav
from redis_server import RedisServer

SECRET = "whsec_" + "c2VjcmV0" * 5


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


def sender(**settings: object) -> dict[str, object]:
    """Settings of a worker that may tell the receiver."""
    return {"webhook_secret": SECRET, "allow_private_urls": "true", **settings}


async def add(jobs: Jobs, hook: Receiver, audio: bytes | None = None) -> str:
    """A job whose end the receiver is to be told, added as other programs do: nothing but the
    job's data says so."""
    job_id = new_job_id()
    await jobs.storage.stage(job_id, io.BytesIO(wav(1) if audio is None else audio))
    data = {"audio": job_id, "insights": False, "callbackUrl": hook.url()}
    await jobs.add_data(job_id, data)
    return job_id


async def told(hook: Receiver, count: int = 1) -> list[Message]:
    return await asyncio.to_thread(hook.wait_for, count)


async def nothing_is_left(jobs: Jobs) -> None:
    """All that was due is queued, and nothing is queued again."""
    assert await until(lambda: _has_settled(jobs), what="an empty outbox")


async def _has_settled(jobs: Jobs) -> bool:
    return not await jobs.queue.awaited.ended()


@asynccontextmanager
async def killed_as_redis_hears(jobs: Jobs, redis: RedisServer, what: bytes) -> AsyncIterator[None]:
    """Kills the only worker when Redis has done a command that holds `what`, but before the worker
    hears so. Another one starts on leaving."""
    async with LossyProxy(redis.port) as proxy:
        worker = jobs.place.worker(**sender(redis_url=proxy.url))
        # Redis learns each script of BullMQ at its first use, in a second command.
        for job_id in (await jobs.add(), await jobs.add(audio=b"junk")):
            await jobs.ended(job_id)
        proxy.lose = what
        yield
        await asyncio.wait_for(proxy.lost.wait(), 30)
        worker.kill()
    jobs.place.worker(**sender())


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        (b"invalid_audio", "failed"),
        (b"results/", "completed"),
        (b"-webhook-", "failed"),
        (b"-webhook-", "completed"),
    ],
)
async def test_killed_between_the_end_and_the_delivery(
    jobs: Jobs, redis: RedisServer, hook: Receiver, moment: bytes, end: str
) -> None:
    async with killed_as_redis_hears(jobs, redis, moment):
        job_id = await add(jobs, hook, audio=None if end == "completed" else b"junk")

    [message] = await told(hook)

    assert message.content["type"] == f"job.{end}"
    assert message.content["data"]["jobId"] == job_id
    status = await jobs.status(job_id)
    assert (status.state, status.attempts, await jobs.starts(job_id)) == (end, 1, 1)
    await nothing_is_left(jobs)
    # What comes after it has been told, so there was no double.
    other = await add(jobs, hook)
    assert [each.content["data"]["jobId"] for each in await told(hook, 2)] == [job_id, other]


async def test_a_job_that_has_cost_two_workers(jobs: Jobs, hook: Receiver) -> None:
    job_id = await add(jobs, hook)
    for number in range(1, 3):
        worker = jobs.place.worker(**sender(segment_s=10))
        await until(lambda n=number: len(jobs.place.events("transcribing")) == n)
        worker.kill()
    jobs.place.worker(**sender())
    [message] = await told(hook)
    data = message.content["data"]
    assert (data["jobId"], data["state"], data["error"]) == (job_id, "failed", "job_stalled")

    # Tried again it ends again, which is another message and no double of the first one.
    await jobs.queue.retry(job_id)
    again = (await told(hook, 2))[1]
    assert again.content["type"] == "job.completed"
    assert again.headers["webhook-id"] != message.headers["webhook-id"]
    await nothing_is_left(jobs)


async def test_nothing_is_told_while_a_job_waits(jobs: Jobs, hook: Receiver) -> None:
    results = jobs.place.folder / "data" / "results"
    await jobs.storage.check()
    results.touch()  # where a folder is needed
    jobs.place.worker(**sender())
    job_id = await add(jobs, hook)
    for _ in range(2):
        await jobs.reached(job_id, "delayed")
        await jobs.queue.retry(job_id)
    await jobs.reached(job_id, "delayed")
    results.unlink()
    await jobs.queue.retry(job_id)
    [message] = await told(hook)
    assert message.content["type"] == "job.completed"


async def test_a_job_that_another_program_removed_is_forgotten(jobs: Jobs) -> None:
    kept, gone = await jobs.add(), new_job_id()
    for job_id in (kept, gone):
        await jobs.queue.awaited.add(job_id)
    await jobs.queue.awaited.forget_missing()
    jobs.place.worker()
    await jobs.ended(kept)
    await until(lambda: _has_settled(jobs))
