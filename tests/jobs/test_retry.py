"""Over REST: jobs that are tried again, jobs with a priority, a Redis that cannot be relied on."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from bullmq import Queue
from redis.asyncio import Redis
from structlog.testing import capture_logs

from echostream.engine import client as client_module
from echostream.engine.client import RemoteEngine
from echostream.errors import EngineError
from echostream.jobs import JobQueue
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.web import preflight
from fakes import FakeInsights, FakeTranscriber
from full_disk import small_files
from jobs.api_support import Service, caching, ended, in_state, job_of, queued
from redis_server import RedisServer
from web.support import EndlessTranscriber, around, audio, error_of, metric, wait_until

USE_QUEUE = {"useQueue": "true"}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def upload(client: httpx.Client, content: bytes | None = None) -> str:
    return queued(client.post("/upload-audio", files=audio(content), data=USE_QUEUE))


def note(client: httpx.Client) -> str:
    """Queue a job that needs no engine."""
    return queued(client.post("/api/finalize", json={"transcript": "a", "useQueue": True}))


def retried(client: httpx.Client, job_id: str) -> str:
    """Try a job again; gives its state."""
    answer = client.post(f"/job/{job_id}/retry").raise_for_status().json()
    assert answer == {
        "success": True,
        "jobId": job_id,
        "state": answer["state"],
        "message": "Job will be tried again",
    }
    return str(answer["state"])


# --- tried again ----------------------------------------------------------------------------------


def test_a_failed_job_is_tried_again_with_its_audio(service: Service) -> None:
    engine = FakeTranscriber(error=EngineError("the engine broke"))
    with service.api() as client, service.worker(caching(engine)):
        job_id = upload(client)
        for _ in range(2):  # instead of waiting for the pauses between its attempts
            in_state(client, job_id, "delayed")
            retried(client, job_id)
        job = ended(client, job_id)
        assert (job["state"], job["error"], job["attempts"]) == ("failed", "process_failed", 3)
        assert service.files() == [f"staged/{job_id}"]

        engine.error = None
        assert retried(client, job_id) in ("waiting", "active")
        job = ended(client, job_id)
        assert (job["state"], job["attempts"]) == ("completed", 1)
        assert service.files() == [f"results/{job_id}.json"]
        assert error_of(client.post(f"/job/{job_id}/retry")) == (409, "job_completed")


def test_trying_again_twice_is_trying_once(service: Service) -> None:
    engine = FakeTranscriber(hold=threading.Event())
    assert engine.hold is not None
    with service.api() as client:
        waiting = upload(client)
        assert [retried(client, waiting) for _ in range(2)] == ["waiting", "waiting"]
        with service.worker(caching(engine)):
            in_state(client, waiting, "active")
            assert retried(client, waiting) == "active"
            engine.hold.set()
            assert ended(client, waiting)["state"] == "completed"
    assert len(engine.calls) == 1


def test_what_cannot_be_tried_again(service: Service) -> None:
    with service.api() as client, service.worker():
        junk = upload(client, b"this is no audio")
        assert ended(client, junk)["error"] == "invalid_audio"
        wait_until(lambda: service.files() == [], "its audio is removed")
        assert error_of(client.post(f"/job/{junk}/retry")) == (410, "staged_audio_missing")
        assert job_of(client, junk)["state"] == "failed"
        assert error_of(client.post("/job/job_none/retry")) == (404, "job_not_found")
        assert error_of(client.post("/job/meta/retry")) == (404, "job_not_found")
        assert error_of(client.post("/job/a:b/retry")) == (422, "invalid_request")


def test_a_cancelled_job_is_not_tried_again(service: Service) -> None:
    engine = EndlessTranscriber()
    with service.api() as client, service.worker(around(engine)):
        job_id = upload(client)
        assert engine.started.wait(20)
        client.delete(f"/job/{job_id}").raise_for_status()
        assert ended(client, job_id)["error"] == "job_cancelled"
        wait_until(lambda: service.files() == [], "its audio is removed")
        assert error_of(client.post(f"/job/{job_id}/retry")) == (410, "staged_audio_missing")


def test_it_needs_the_token(service: Service) -> None:
    with service.api(api_bearer_token="s3cret-" * 4) as client:
        assert error_of(client.post("/job/job_x/retry")) == (401, "unauthorized")


def test_the_openapi_page_knows_of_it(service: Service) -> None:
    with service.api() as client:
        paths = client.get("/openapi.json").raise_for_status().json()["paths"]
    answers = paths["/job/{job_id}/retry"]["post"]["responses"]
    assert {"200", "401", "404", "409", "410", "422", "503"} <= set(answers)


# --- a full disk, an engine that is gone ----------------------------------------------------------


def test_a_job_waits_for_room_on_the_disk(service: Service) -> None:
    engine = FakeTranscriber(texts=("word " * 40_000,))
    with service.api() as client, service.worker(caching(engine)):
        with small_files():
            job_id = upload(client)
            job = in_state(client, job_id, "delayed")
            assert job["lastFailure"]["error"] == "storage_full"
            assert service.files() == [f"staged/{job_id}"]
        retried(client, job_id)
        assert ended(client, job_id)["state"] == "completed"
        assert service.files() == [f"results/{job_id}.json"]
    assert len(engine.calls) == 1  # the cache had the text


def test_a_job_waits_for_an_engine_that_is_gone(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_START_S", 0.1)

    def without_engine(settings: Settings) -> Pipeline:
        return Pipeline(settings, RemoteEngine(tmp_path / "none"), FakeInsights(), patient=True)

    with service.api() as client:
        with service.worker(without_engine):
            job_id = upload(client)
            job = in_state(client, job_id, "delayed")
            assert job["lastFailure"]["error"] == "engine_restarted"
            assert job["attempts"] == 0
        assert service.files() == [f"staged/{job_id}"]
        with service.worker():
            retried(client, job_id)
            assert ended(client, job_id)["state"] == "completed"


# --- jobs of other programs -----------------------------------------------------------------------


def add_with_priority(service: Service, count: int) -> list[str]:
    async def add() -> list[str]:
        settings = service.settings
        async with Redis.from_url(settings.redis_url, decode_responses=True) as client:
            queue = Queue(settings.queue_name, {"connection": client})
            data = {"transcript": "a"}
            jobs = [
                await queue.add("transcribe", data, {"jobId": f"urgent-{n}", "priority": n + 1})
                for n in range(count)
            ]
        return [job.id for job in jobs]

    return asyncio.run(add())


@pytest.mark.parametrize("limit", [1, 3, 5, 100])
def test_jobs_with_a_priority_are_in_the_list(service: Service, limit: int) -> None:
    with service.api() as client:
        plain = [note(client) for _ in range(4)]
        urgent = add_with_priority(service, 5)
        for query in ({"state": "waiting"}, {}):
            found, cursor = [], ""
            while cursor is not None:
                params: dict[str, Any] = query | {"limit": limit}
                page = client.get("/jobs", params=params | ({"cursor": cursor} if cursor else {}))
                found += page.raise_for_status().json()["jobs"]
                cursor = page.json()["cursor"]
            assert sorted(job["jobId"] for job in found) == sorted(plain + urgent)
            assert {job["state"] for job in found} == {"waiting"}
        assert metric(client, "echostream_jobs", state="waiting") == 9.0


# --- a Redis that cannot be relied on -------------------------------------------------------------


def test_not_ready_while_redis_refuses_to_write(service: Service, redis: RedisServer) -> None:
    with service.api() as client:
        wait_until(lambda: client.get("/ready").status_code == 200, "it is ready")
        with redis.without_memory():
            answer = client.get("/ready")
            assert answer.status_code == 503
            checks = answer.json()["checks"]
            assert [name for name, check in checks.items() if not check["ok"]] == ["queue"]
            assert "maxmemory" in checks["queue"]["detail"]
            refused = client.post("/upload-audio", files=audio(), data=USE_QUEUE)
            assert error_of(refused) == (503, "queue_unavailable")
        assert client.get("/ready").status_code == 200


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"appendonly": "no", "save": ""}, "appendonly"),
        ({"maxmemory-policy": "allkeys-lru"}, "noeviction"),
        ({"appendonly": "no", "save": "60 1"}, None),
        ({}, None),
    ],
)
def test_a_redis_that_may_lose_jobs_is_told_of(
    service: Service, settings: dict[str, str], hint: str | None
) -> None:
    with RedisServer() as server:
        for name, value in settings.items():
            server.configure(name, value)
        own = Service(server, service.folder)
        with capture_logs() as logs:
            preflight.check(own.settings)
        told = [line["hint"] for line in logs if line["event"] == "redis_may_lose_jobs"]
        assert told == asyncio.run(_weaknesses(own))
    assert [hint in each for each in told] == ([True] if hint else [])


async def _weaknesses(service: Service) -> list[str]:
    settings = service.settings
    queue = JobQueue(settings.queue_name, settings.redis_url, retention_s=60)
    try:
        return await queue.weaknesses()
    finally:
        await queue.aclose()
