"""Jobs over Socket.IO: stock clients of real servers, real workers, a Redis that goes away."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis.asyncio import Redis

from echostream.job_events import JobNews
from echostream.jobs import new_job_id
from echostream.web.deps import services_of
from jobs.events_support import (
    Client,
    announcing,
    app_of,
    assert_in_order,
    client_of,
    fields_of,
    listening,
    result_of,
    serving,
)
from jobs.place import Jobs, Place, until, words
from redis_server import RedisServer

AT_ONCE_S = 1.5
"""Less than the time between two looks at a job, so that a message must have been heard."""


@pytest.fixture
def api(jobs: Jobs) -> Iterator[str]:
    """The URL of a server of the test's place."""
    with serving(jobs.place) as url:
        yield url


async def test_progress_and_then_the_result(jobs: Jobs, api: str) -> None:
    """Over a connection that begins as polling and is upgraded, as a stock client's."""
    jobs.place.worker(segment_s=0.2)
    async with client_of(api, "polling", "websocket") as client:
        job_id = await jobs.add(seconds=6)
        assert await client.join(job_id) == {"ok": True}
        assert client.heard[0][0] == "job_progress"

        event, data = await client.ended()

        assert (event, data["jobId"]) == ("job_completed", job_id)
        assert data["result"] == await result_of(jobs, job_id)
        assert data["result"]["transcript"] == words(6)
        assert_in_order(client, job_id)
        # Looks alone, two seconds apart, would show one or two steps of these.
        assert len({each["progress"] for each in client.of("job_progress")}) >= 4


async def test_the_end_is_heard_before_the_next_look(jobs: Jobs, api: str) -> None:
    jobs.place.hold_decoding.touch()
    jobs.place.worker()
    async with client_of(api) as client:
        job_id = await jobs.add()
        await jobs.begun("decoding")
        await client.join(job_id)

        jobs.place.hold_decoding.unlink()
        status = await jobs.reached(job_id, "completed")
        await client.ended()

        assert status.finished_s is not None
        assert time.time() - status.finished_s < AT_ONCE_S


async def test_a_job_that_fails(jobs: Jobs, api: str) -> None:
    jobs.place.hold_decoding.touch()
    jobs.place.worker()
    async with client_of(api) as early, client_of(api) as late:
        job_id = await jobs.add(audio=b"junk")
        await early.join(job_id)
        jobs.place.hold_decoding.unlink()

        event, data = await early.ended()

        status = await jobs.status(job_id)
        assert (event, set(data)) == ("job_failed", {"jobId", "error", "message"})
        assert data == {"jobId": job_id, "error": "invalid_audio", "message": status.message}
        assert await late.join(job_id) == {"ok": True}
        assert late.heard == [("job_failed", data)]


async def test_a_job_that_waits_for_another_attempt(jobs: Jobs, api: str) -> None:
    jobs.place.worker()
    async with client_of(api) as client:
        job_id = await jobs.add(prompt="broken")
        await client.join(job_id)
        await client.until(lambda heard: _waits_of(heard))
        assert client.ends() == []  # it has not failed for good
        [*_, wait] = _waits_of(client)
        assert wait["lastFailure"] == {"error": "process_failed", "message": "the engine broke"}
        assert isinstance(wait["retryAt"], float)


def _waits_of(client: Client) -> list[dict[str, Any]]:
    return [data for data in client.of("job_progress") if data["state"] == "delayed"]


async def test_a_job_that_is_cancelled(jobs: Jobs, api: str) -> None:
    jobs.place.worker(segment_s=0.1)
    async with client_of(api) as early, client_of(api) as late:
        job_id = await jobs.add(seconds=600)
        await jobs.begun("transcribing")
        await early.join(job_id)
        assert await jobs.queue.cancel(job_id) == "active"

        event, data = await early.ended()

        assert (event, data["error"]) == ("job_failed", "job_cancelled")
        await late.join(job_id)
        assert late.heard == [("job_failed", data)]


async def test_joining_late_and_twice(jobs: Jobs, api: str) -> None:
    jobs.place.worker()
    async with client_of(api) as client:
        done = await jobs.add()
        await jobs.ended(done)
        for times in (1, 2):
            assert await client.join(done) == {"ok": True}
            assert (
                client.heard
                == [("job_completed", {"jobId": done, "result": await result_of(jobs, done)})]
                * times
            )

        jobs.place.hold_decoding.touch()
        held = await jobs.add()
        await jobs.reached(held, "active")
        for _ in range(2):
            assert await client.join(held) == {"ok": True}
        shown = client.of("job_progress", held)
        assert len(shown) == 2
        assert {each["state"] for each in shown} == {"active"}
        jobs.place.hold_decoding.unlink()
        await client.until(lambda heard: heard.of("job_completed", held))
        await client.is_quiet()
        assert len(client.of("job_completed", held)) == 1


async def test_a_waiting_job_that_is_removed(jobs: Jobs, api: str) -> None:
    async with client_of(api) as client:
        job_id = await jobs.add()
        await client.join(job_id)
        assert client.heard == [
            ("job_progress", {"jobId": job_id, "state": "waiting", "progress": 0})
        ]
        assert await jobs.queue.cancel(job_id) is None

        event, data = await client.ended()

        assert (event, data["jobId"], data["error"]) == ("job_failed", job_id, "job_not_found")


async def test_a_result_that_is_gone(jobs: Jobs, api: str) -> None:
    jobs.place.worker()
    job_id = await jobs.add()
    await jobs.ended(job_id)
    await jobs.storage.delete_result(job_id)
    async with client_of(api) as client:
        answer = await client.join(job_id)
        assert (answer["ok"], answer["error"]) == (False, "job_not_found")
        assert [event for event, _ in client.heard] == ["job_failed"]


RUDE: dict[str, object] = {
    "nothing": (),
    "null": None,
    "text": "job_1",
    "list": [["job_1"]],
    "binary": b"job_1",
    "no id": {},
    "number": {"jobId": 7},
    "nested": {"jobId": {"jobId": "job_1"}},
    "binary id": {"jobId": b"job_1"},
    "empty": {"jobId": ""},
    "long": {"jobId": "x" * 129},
    "characters": {"jobId": "job 1\n"},
    "line": {"jobId": "job_1\n"},
    "key": {"jobId": "a:b"},
    "two": ({"jobId": "a b"}, "more"),
}


async def test_rude_requests(api: str) -> None:
    async with client_of(api) as client:
        for name, payload in RUDE.items():
            client.heard.clear()
            answer = await client.send(payload)
            assert (answer["ok"], answer["error"]) == (False, "invalid_request"), name
            ((event, data),) = client.heard
            assert (event, set(data)) == ("job_failed", {"jobId", "error", "message"}), name
            assert {**answer, "jobId": data["jobId"]} == {"ok": False, **data}, name
        unknown = new_job_id()
        answer = await client.join(unknown)
        assert (answer["ok"], answer["error"]) == (False, "job_not_found")
        assert client.heard[-1][1]["jobId"] == unknown
        # Names of keys of the queue's own, which hold no job.
        for name in ("meta", "events", "completed"):
            assert (await client.join(name))["error"] == "job_not_found"


async def test_a_socket_cannot_join_any_number_of_jobs(jobs: Jobs, api: str) -> None:
    async with client_of(api) as client:
        job_ids = [new_job_id() for _ in range(101)]
        for job_id in job_ids:
            await jobs.add_data(job_id, {})
        answers = await asyncio.gather(*(client.join(job_id) for job_id in job_ids))
        assert answers[:100] == [{"ok": True}] * 100
        assert answers[100]["error"] == "invalid_request"
        assert await client.join(job_ids[0]) == {"ok": True}


async def test_without_a_queue(place: Place) -> None:
    with serving(place, use_queue=False) as url:
        async with client_of(url) as client:
            answer = await client.join("job_1")
            assert (answer["ok"], answer["error"]) == (False, "queue_unavailable")
            assert client.heard[0][1]["error"] == "queue_unavailable"


async def test_clients_of_two_servers(jobs: Jobs, api: str) -> None:
    with serving(jobs.place) as other:
        async with client_of(api) as one, client_of(other) as two:
            jobs.place.worker(segment_s=0.2)
            job_id = await jobs.add(seconds=5)
            for client in (one, two):
                assert await client.join(job_id) == {"ok": True}
            for client in (one, two):
                assert (await client.ended())[0] == "job_completed"
                assert_in_order(client, job_id)


async def test_many_sockets_of_one_job(jobs: Jobs, api: str, redis: RedisServer) -> None:
    jobs.place.hold_decoding.touch()
    jobs.place.worker()
    job_id = await jobs.add()
    await jobs.begun("decoding")
    async with asyncio.TaskGroup() as group, Redis.from_url(redis.url) as client:
        ready = asyncio.Barrier(41)

        async def follow() -> None:
            async with client_of(api) as socket:
                await ready.wait()
                assert await socket.join(job_id) == {"ok": True}
                await ready.wait()
                assert (await socket.ended())[0] == "job_completed"
                assert_in_order(socket, job_id)

        for _ in range(40):
            group.create_task(follow())
        await ready.wait()
        before = (await client.info("commandstats"))["cmdstat_hgetall"]["calls"]
        await ready.wait()
        after = (await client.info("commandstats"))["cmdstat_hgetall"]["calls"]
        assert after - before < 10  # they share the looks at the job
        jobs.place.hold_decoding.unlink()


async def test_redis_is_away_while_the_job_runs(fragile: Jobs, mortal: RedisServer) -> None:
    fragile.place.worker(segment_s=0.2)
    with serving(fragile.place) as url:
        async with client_of(url) as client, client_of(url) as newcomer:
            job_id = await fragile.add(seconds=20)
            other = await fragile.add(prompt="other")
            await fragile.begun("transcribing")
            await client.join(job_id)
            await client.until(lambda heard: heard.heard[-1][1]["progress"] > 15)

            mortal.stop()
            assert (await newcomer.join(other))["error"] == "queue_unavailable"
            # What is known of a job that is followed is still told.
            assert await newcomer.join(job_id) == {"ok": True}
            (known,) = newcomer.of("job_progress")
            assert known.pop("text") == client.texts()[-1]
            last = client.of("job_progress")[-1]
            assert known == {name: last[name] for name in fields_of("active")}
            mortal.start()

            for each in (client, newcomer):
                await each.until(lambda heard: heard.of("job_completed"))
            await client.is_quiet()
            assert_in_order(client, job_id)
            assert len(newcomer.of("job_completed")) == 1


async def test_redis_hangs_when_a_client_joins(fragile: Jobs, mortal: RedisServer) -> None:
    with serving(fragile.place) as url:
        async with client_of(url) as client:
            job_id = await fragile.add()
            mortal.pause()
            try:
                started = time.monotonic()
                assert (await client.join(job_id))["error"] == "queue_unavailable"
                assert time.monotonic() - started < 5
            finally:
                mortal.resume()
            assert await client.join(job_id) == {"ok": True}


@pytest.mark.parametrize("fault", [RedisServer.stop, RedisServer.pause])
async def test_the_server_ends_while_redis_is_away(
    fragile: Jobs, mortal: RedisServer, fault: Callable[[RedisServer], None]
) -> None:
    job_id = await fragile.add()
    with serving(fragile.place) as url:
        async with client_of(url) as client:
            await client.join(job_id)
            fault(mortal)
        started = time.monotonic()
    assert time.monotonic() - started < 5


async def test_a_worker_whose_messages_are_lost(jobs: Jobs, api: str, redis: RedisServer) -> None:
    """As good as a Node worker, which sends none: looks at the job find it all."""
    async with Redis.from_url(redis.url) as client:
        allowed = ["+@all", "-publish"]
        await client.acl_setuser("mute", enabled=True, nopass=True, keys="*", commands=allowed)
    worker = jobs.place.worker(redis_url=redis.url.replace("//", "//mute:any@"), segment_s=0.5)
    async with client_of(api) as listener:
        job_id = await jobs.add(seconds=5)
        await listener.join(job_id)
        assert (await listener.ended())[0] == "job_completed"
        assert_in_order(listener, job_id)
        assert {each["state"] for each in listener.of("job_progress")} >= {"active"}
    lost = [line for line in worker.logs() if line["event"] == "job_events_not_told"]
    assert len(lost) == 1


async def test_nothing_is_kept_of_sockets_that_are_gone(jobs: Jobs) -> None:
    job_ids = [await jobs.add() for _ in range(3)]
    before = asyncio.all_tasks()
    async with app_of(jobs.place) as (url, app):
        async with client_of(url) as one, client_of(url) as two:
            rooms = services_of(app).job_rooms
            for job_id in job_ids:
                await one.join(job_id)
            await two.join(job_ids[0])
            assert rooms.watched == 3

            await one.socket.disconnect()
            await until(lambda: rooms.watched == 1, 5)
            assert await two.join(job_ids[0]) == {"ok": True}
            await two.join(new_job_id())
            assert rooms.watched == 1
        await until(lambda: rooms.watched == 0, 5)
        assert services_of(app).sockets.manager.rooms == {}
        async with client_of(url) as three:
            await three.join(job_ids[1])
            assert rooms.watched == 1
            await rooms.aclose()
            assert (await three.join(job_ids[1]))["error"] == "queue_unavailable"
    left = {str(task.get_coro()) for task in asyncio.all_tasks() - before}
    assert not [each for each in left if "Job" in each]


async def test_messages_reach_those_of_their_queue_alone(redis: RedisServer) -> None:
    async with (
        announcing(redis.url, "one") as announcer,
        listening(redis.url, "one") as (_, here),
        listening(redis.url, "two") as (_, other),
        listening(f"{redis.url}/1", "one") as (_, elsewhere),
        Redis.from_url(redis.url) as client,
    ):
        (channel,) = await client.pubsub_channels("*:0:one:*")
        for junk in (b"\xff", b"[" * 100_000, b"[]", b"null", b'{"job_id": 1, "progress": 1}'):
            await client.publish(channel, junk)
        await client.publish(channel, b'{"job_id": "job", "progress": 7}')  # of an older worker
        news = JobNews("job", 40, "transcribing", 12, has_new_text=True)
        await announcer.tell(news)
        await announcer.ended("job")

        await until(lambda: len(here) == 3, 5)
        assert here == [JobNews("job", 7), news, JobNews("job", None)]
        assert other == elsewhere == []


async def test_messages_come_again_when_redis_does(mortal: RedisServer) -> None:
    async with (
        announcing(mortal.url, "one") as announcer,
        listening(mortal.url, "one") as (listener, heard),
    ):
        mortal.stop()
        await announcer.ended("lost")
        await until(lambda: not listener.is_listening.is_set(), 5)
        mortal.start()
        await asyncio.wait_for(listener.is_listening.wait(), 5)
        await announcer.ended("job")
        await until(lambda: heard == [JobNews("job", None)], 5)


async def test_a_hung_redis_does_not_hold_a_worker_up(mortal: RedisServer) -> None:
    async with announcing(mortal.url, "one") as announcer:
        await announcer.tell(JobNews("job", 1))
        for fault in (mortal.pause, mortal.stop):
            fault()
            for tell in (announcer.tell(JobNews("job", 2)), announcer.ended("job")):
                started = time.monotonic()
                await tell
                assert time.monotonic() - started < AT_ONCE_S
