"""The progress of an active job, over REST, over Socket.IO, and in between."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx2 as httpx
import pytest
from redis.asyncio import Redis

from echostream.domain import Step
from echostream.job_events import JobNews
from echostream.jobs import SoFar, new_job_id
from echostream.worker.progress import reporting
from jobs.events_support import assert_in_order, client_of, serving
from jobs.place import Jobs, until, words
from redis_server import RedisServer

AT_ONCE_S = 1.5


@pytest.fixture
def api(jobs: Jobs) -> Iterator[str]:
    """The URL of a server of the test's place."""
    with serving(jobs.place) as url:
        yield url


Look = Callable[[str], Awaitable[dict]]


@pytest.fixture
async def look(api: str) -> AsyncIterator[Look]:
    """`await look(id)` is what `GET /job/{id}` gives."""
    async with httpx.AsyncClient(base_url=api, trust_env=False) as client:

        async def get(job_id: str) -> dict:
            return dict((await client.get(f"/job/{job_id}")).raise_for_status().json())

        yield get


async def keys(redis: RedisServer) -> list[str]:
    """Of texts that are kept in Redis."""
    async with Redis.from_url(redis.url, decode_responses=True) as client:
        return list(await client.keys("*:so-far:*"))


def test_progress_of_the_whole_job_grows_with_that_of_its_stages() -> None:
    stages = ("fetching", "decoding", "transcribing", "diarizing", "analysing", "done")
    told = [Step(stage, share / 50).percent for stage in stages for share in range(51)]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 99)


async def test_the_text_grows_while_the_job_is_active(
    jobs: Jobs, look: Look, redis: RedisServer
) -> None:
    jobs.place.worker(segment_s=0.3)
    job_id = await jobs.add(seconds=12)
    waiting = await look(job_id)
    seen = []

    async def has_ended() -> bool:
        seen.append(await look(job_id))
        return seen[-1]["state"] == "completed"

    await until(has_ended)
    active = [each for each in seen if each["state"] == "active"]
    assert waiting["state"] == "active" or not {"text", "stage", "secondsLeft"} & set(waiting)
    assert not {"text", "stage", "secondsLeft"} & set(seen[-1])
    texts = [text for text, _ in itertools.groupby(each["text"] for each in active)]
    assert len(texts) >= 3
    assert all(words(12).startswith(text) for text in texts)
    assert texts == sorted(texts, key=len)
    transcribing = [each for each in active if each["stage"] == "transcribing"]
    left_s = [each["secondsLeft"] for each in transcribing if each["secondsLeft"] is not None]
    assert max(left_s) <= 6
    assert left_s[-1] < left_s[0]
    await until(lambda: keys_are(redis, []))


async def keys_are(redis: RedisServer, expected: list[str]) -> bool:
    return await keys(redis) == expected


async def test_progress_grows_within_a_batch(jobs: Jobs, api: str) -> None:
    """Of which the engine gives nothing before its end."""
    jobs.place.worker(segment_s=0.5, batch=8)
    async with client_of(api) as client:
        job_id = await jobs.add(seconds=8)
        await client.join(job_id)
        await client.ended()
        assert_in_order(client, job_id)
        told = client.of("job_progress")
    within = [each["progress"] for each in told if each.get("stage") == "transcribing"]
    within = [each for each in within if 10 < each < 90]
    assert len(set(within)) >= 3
    assert {each["secondsLeft"] for each in told if 10 < each["progress"] < 90} == {None}


async def test_listeners_hear_the_text_as_it_grows(jobs: Jobs, api: str) -> None:
    jobs.place.worker(segment_s=0.25)
    async with client_of(api) as early, client_of(api) as late:
        job_id = await jobs.add(seconds=16)
        await early.join(job_id)
        await early.until(lambda heard: len(set(heard.texts())) >= 3)
        assert await late.join(job_id) == {"ok": True}
        assert late.texts()[0] == early.texts()[-1]
        assert late.of("job_progress")[0]["stage"] == "transcribing"
        await early.ended()
        await late.ended()
        assert_in_order(early, job_id)
        assert_in_order(late, job_id)
        assert all(words(16).startswith(text) for text in early.texts())
        # It is sent about once a second, not with each step.
        assert len(early.texts()) <= 8 < len(early.of("job_progress"))


async def test_another_attempt_begins_its_text_anew(jobs: Jobs, look: Look) -> None:
    job_id = await jobs.add()
    stale = SoFar("analysing", 7, "of an earlier attempt")
    assert await jobs.queue.keep_so_far(job_id, stale, with_text=True)
    jobs.place.hold_decoding.touch()
    jobs.place.worker()

    async def is_decoding() -> bool:
        job = await look(job_id)
        return (job.get("stage"), job.get("text"), job["state"]) == ("decoding", "", "active")

    await until(is_decoding)
    jobs.place.hold_decoding.unlink()
    await jobs.ended(job_id)


async def test_what_is_kept_expires_and_can_be_kept_in_part(jobs: Jobs, redis: RedisServer) -> None:
    job_id = new_job_id()
    text = "日本 “text”\n" * 20_000
    await jobs.queue.keep_so_far(job_id, SoFar("transcribing", 7, text), with_text=True)
    await jobs.queue.keep_so_far(job_id, SoFar("analysing"), with_text=False)
    (key,) = await keys(redis)
    async with Redis.from_url(redis.url, decode_responses=True) as client:
        assert SoFar.load(await client.hgetall(key)) == SoFar("analysing", None, text)
        assert 0 < await client.ttl(key) <= 3600
    await jobs.queue.forget_so_far(job_id)
    assert await keys(redis) == []


class Listener:
    """Stands in for a job and its announcer, and records what they get."""

    job_id = "job_1"

    def __init__(self) -> None:
        self.progress = 0
        self.texts: list[str] = []
        self.news: list[JobNews] = []

    async def tell_progress(self, percent: int) -> bool:
        moved = percent > self.progress
        self.progress = max(self.progress, percent)
        return moved

    async def keep_so_far(self, so_far: SoFar, *, with_text: bool) -> bool:
        self.texts += [so_far.text] if with_text else []
        return True

    async def tell(self, news: JobNews) -> None:
        self.news.append(news)


async def test_a_long_text_is_kept_less_often_than_progress() -> None:
    listener = Listener()
    text = "word " * 40_000
    async with reporting(listener, listener) as progress:
        for share, come_to in ((0.1, 18), (0.2, 26), (0.3, 34)):
            text += "more "
            progress(Step("transcribing", share, text, 10.0))
            await until(lambda at=come_to: listener.progress == at)
        progress(Step("analysing"))
        await until(lambda: listener.news[-1].stage == "analysing")
    assert [len(kept) for kept in listener.texts] == [0, 200_005]
    assert [news.has_new_text for news in listener.news] == [True, True, False, False, False]


async def test_a_redis_that_hangs_or_is_away_costs_a_moment(
    fragile: Jobs, mortal: RedisServer
) -> None:
    job_id = new_job_id()
    for fault in (mortal.pause, mortal.stop):
        fault()
        started = time.monotonic()
        assert not await fragile.queue.keep_so_far(job_id, SoFar(text="text"), with_text=True)
        assert time.monotonic() - started < AT_ONCE_S
        started = time.monotonic()
        await fragile.queue.forget_so_far(job_id)
        assert time.monotonic() - started < AT_ONCE_S


async def test_a_text_that_could_not_be_kept_is_kept_later(
    fragile: Jobs, mortal: RedisServer
) -> None:
    fragile.place.worker(segment_s=0.2)
    job_id = await fragile.add(seconds=40)
    await fragile.begun("transcribing")
    mortal.stop()
    await asyncio.sleep(1.5)  # an outage has no event of its own
    mortal.start()

    async def has_text() -> bool:
        so_far = (await fragile.status(job_id)).so_far
        return so_far is not None and so_far.text.startswith("word0 word1")

    await until(has_text)
