"""Webhooks of jobs from end to end: API, Redis, workers, and a receiver that checks signatures."""

import asyncio
import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from echostream.jobs import JobQueue, JobStatus
from echostream.worker import outbox
from jobs.api_support import (
    Message,
    Receiver,
    Service,
    caching,
    ended,
    job_of,
    queued,
    receiver,
    until,
)
from redis_server import RedisServer
from web.support import EndlessTranscriber, around, audio, wait_until

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def service(redis: RedisServer, tmp_path: Path) -> Service:
    redis.flush()
    return Service(redis, tmp_path / "data", {"webhook_secret": SECRET})


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


def note(client: httpx.Client, hook: Receiver) -> str:
    """Queue a job that needs no engine."""
    body = {"transcript": "hello", "useQueue": True, "callbackUrl": hook.url()}
    return queued(client.post("/api/finalize", json=body))


def upload(client: httpx.Client, hook: Receiver, content: bytes | None = None) -> str:
    fields = {"useQueue": "true", "callbackUrl": hook.url()}
    return queued(client.post("/upload-audio", files=audio(content), data=fields))


def delivered(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job's `webhook` once the delivery has ended, one way or the other."""
    job = until(client, job_id, lambda job: job["webhook"]["state"] != "pending")
    found: dict[str, Any] = job["webhook"]
    return found


def verified(message: Message) -> dict[str, Any]:
    """What it says, its signature having been checked as a receiver would."""
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER_SECRET).verify(message.body, message.headers)
    content = Webhook(SECRET).verify(message.body, message.headers)
    assert isinstance(content, dict)
    assert set(content) == {"type", "timestamp", "data"}
    return content


def assert_no_more_than(count: int, client: httpx.Client, hook: Receiver) -> None:
    """What is queued now is delivered after all that was due before it."""
    assert delivered(client, note(client, hook))["state"] == "delivered"
    assert len(hook.messages) == count + 1


def repeat_soon(monkeypatch: pytest.MonkeyPatch, backoff_ms: int) -> None:
    """Make the first pause between two attempts shorter."""
    monkeypatch.setattr(outbox, "_BACKOFF_MS", backoff_ms)


def delivery_of(service: Service, job: dict[str, Any]) -> JobStatus:
    number = f"{job['jobId']}-webhook-{round(job['finishedAt'] * 1000)}"
    return on_webhooks(service, lambda webhooks: webhooks.status(number))


def on_webhooks(service: Service, work: Any) -> Any:
    """What `work` gives for the queue of deliveries."""

    async def connected() -> Any:
        settings = service.settings
        queue = JobQueue(settings.webhook_queue_name, settings.redis_url, retention_s=3600)
        try:
            return await work(queue)
        finally:
            await queue.aclose()

    return asyncio.run(connected())


# --- what arrives ---------------------------------------------------------------------------------


def test_completed(service: Service, hook: Receiver) -> None:
    with service.api() as client:
        job_id = upload(client, hook)
        assert job_of(client, job_id)["webhook"] == {"state": "pending", "attempts": 0}
        with service.worker():
            job = ended(client, job_id)
            assert delivered(client, job_id) == {"state": "delivered", "attempts": 1}
            [message] = hook.messages
            content = verified(message)
            assert_no_more_than(1, client, hook)

    assert content["type"] == "job.completed"
    ended_at = datetime.fromisoformat(content["timestamp"])
    assert ended_at.timestamp() == pytest.approx(job["finishedAt"], abs=0.002)
    result = {name: value for name, value in job["result"].items() if name != "segments"}
    assert content["data"] == {"jobId": job_id, "state": "completed", "result": result}
    sent_at = datetime.fromtimestamp(int(message.headers["webhook-timestamp"]), UTC)
    assert abs((datetime.now(UTC) - sent_at).total_seconds()) < 60
    assert job_id in message.headers["webhook-id"]


def test_failed(service: Service, hook: Receiver) -> None:
    with service.api() as client, service.worker():
        job_id = upload(client, hook, b"this is no audio")
        assert delivered(client, job_id) == {"state": "delivered", "attempts": 1}
        job = job_of(client, job_id)
        [message] = hook.messages
    content = verified(message)
    assert content["type"] == "job.failed"
    told = {name: job[name] for name in ("jobId", "state", "error", "message")}
    assert content["data"] == told
    assert told["error"] == "invalid_audio"


def test_cancelled(service: Service, hook: Receiver) -> None:
    engine = EndlessTranscriber()
    with service.api() as client:
        waiting = note(client, hook)
        client.delete(f"/job/{waiting}").raise_for_status()
        with service.worker(around(engine)):
            job_id = upload(client, hook)
            assert engine.started.wait(20)
            client.delete(f"/job/{job_id}").raise_for_status()
            assert delivered(client, job_id)["state"] == "delivered"
            # Of the job that was removed before it began nothing is said.
            [message] = hook.messages
    content = verified(message)
    assert content["type"] == "job.failed"
    assert (content["data"]["jobId"], content["data"]["error"]) == (job_id, "job_cancelled")


def test_nobody_is_told_unasked(service: Service) -> None:
    with service.api() as client, service.worker():
        job_id = queued(client.post("/api/finalize", json={"transcript": "a", "useQueue": True}))
        assert "webhook" not in ended(client, job_id)


# --- tried again ----------------------------------------------------------------------------------


def test_a_receiver_that_fails_twice(
    service: Service, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeat_soon(monkeypatch, 300)
    hook.answers = [(500, {}), (302, {"Location": hook.url("/elsewhere")})]
    with service.api() as client:
        job_id = note(client, hook)
        with service.worker():
            assert delivered(client, job_id) == {"state": "delivered", "attempts": 3}
            messages = list(hook.messages)
            assert_no_more_than(3, client, hook)
    assert len(messages) == 3
    for message in messages:
        assert verified(message)["data"]["jobId"] == job_id
    assert len({message.headers["webhook-id"] for message in messages}) == 1
    assert len({message.body for message in messages}) == 1


def test_a_receiver_that_names_a_time(service: Service, hook: Receiver) -> None:
    hook.answers = [(503, {"Retry-After": "1"}), (429, {"Retry-After": "1"})]
    with service.api() as client, service.worker():
        job_id = note(client, hook)
        ended(client, job_id)
        hook.wait_for(1)
        started = time.monotonic()
        hook.wait_for(3)
        took_s = time.monotonic() - started
        assert delivered(client, job_id)["state"] == "delivered"
        assert 1.8 < took_s < 4.9, "neither at once nor after our own first wait of 5 s"
        assert_no_more_than(3, client, hook)


def test_a_receiver_that_is_gone(service: Service, hook: Receiver) -> None:
    hook.answers = [(410, {})]
    with service.api() as client:
        job_id = note(client, hook)
        with service.worker():
            webhook = delivered(client, job_id)
            assert (webhook["state"], webhook["attempts"]) == ("failed", 1)
            assert "410" in webhook["message"]
            # The job itself is none the worse for it.
            assert job_of(client, job_id)["state"] == "completed"
            assert_no_more_than(1, client, hook)


def test_a_job_that_is_removed_meanwhile(
    service: Service, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeat_soon(monkeypatch, 1000)
    hook.answers = [(500, {})]
    with service.api() as client:
        job_id = note(client, hook)
        with service.worker():
            hook.wait_for(1)
            job = job_of(client, job_id)
            client.delete(f"/job/{job_id}").raise_for_status()
            wait_until(lambda: delivery_of(service, job).state == "completed", "the delivery ends")
            assert_no_more_than(1, client, hook)


def test_two_workers_deliver_once(service: Service, hook: Receiver) -> None:
    with service.api() as client, service.worker(caching()), service.worker(caching()):
        jobs = [note(client, hook) for _ in range(10)]
        for job_id in jobs:
            assert delivered(client, job_id) == {"state": "delivered", "attempts": 1}
        assert_no_more_than(10, client, hook)
    told = [message.content["data"]["jobId"] for message in hook.messages]
    assert sorted(told[:10]) == sorted(jobs)


# --- workers that die -----------------------------------------------------------------------------


def test_another_worker_delivers(service: Service, hook: Receiver) -> None:
    """The worker that did the job is killed between two attempts."""
    hook.answers = [(500, {})]
    with service.api() as client:
        with service.worker_process() as worker:
            job_id = upload(client, hook)
            first = hook.wait_for(1)[0]
            job = until(client, job_id, lambda job: job["webhook"]["attempts"] == 1)
            assert job["webhook"]["state"] == "pending"
            worker.kill()
        with service.worker():
            second = hook.wait_for(2)[1]
            assert delivered(client, job_id) == {"state": "delivered", "attempts": 2}
            assert_no_more_than(2, client, hook)
    assert verified(first) == verified(second)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_another_worker_takes_a_delivery_over(service: Service, hook: Receiver) -> None:
    """The worker is killed while it waits for the receiver's answer."""
    soon = {"job_lock_s": 1.0, "job_stalled_check_s": 0.5}
    with service.api() as client:
        with service.worker_process(**soon) as worker, hook.holding():
            job_id = upload(client, hook)
            first = hook.wait_for(1)[0]
            worker.kill()
            worker.wait()
        with service.worker(**soon):
            second = hook.wait_for(2)[1]
            assert delivered(client, job_id)["state"] == "delivered"
            assert_no_more_than(2, client, hook)
    assert verified(first) == verified(second)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
