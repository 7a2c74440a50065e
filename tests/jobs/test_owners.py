"""Jobs belong to the name of the token that has made them: for all others they do not exist."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
import socketio

from echostream.jobs import JobQueue
from echostream.jobs.status import OWNER
from echostream.options import JobData
from jobs.api_support import Service, ended, queued
from redis_server import RedisServer
from web.support import WAIT_S, audio, error_of, wait_until

TOKENS = {"alice": "alice-0123456789", "bob": "bob-9876543210-x", "": "the first of all"}
SETTINGS = {
    "api_tokens": f"alice:{TOKENS['alice']},bob:{TOKENS['bob']}",
    "api_bearer_token": TOKENS[""],
}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def api(service: Service) -> Iterator[httpx.Client]:
    with service.api(**SETTINGS) as client:
        yield client


def ask(client: httpx.Client, name: str, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKENS[name]}", **more.pop("headers", {})}
    return client.request(method, path, headers=headers, **more)


def note(client: httpx.Client, name: str, **headers: str) -> str:
    """Queues a job that needs no engine; gives its id."""
    body = {"transcript": "hello", "useQueue": True}
    return queued(ask(client, name, "POST", "/api/finalize", json=body, headers=headers))


def listed(client: httpx.Client, name: str, **query: Any) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    params = query
    while True:
        page = ask(client, name, "GET", "/jobs", params=params).raise_for_status().json()
        found += [job["jobId"] for job in page["jobs"]]
        if page["cursor"] is None:
            return found
        params = {**query, "cursor": page["cursor"]}


JOB_PATHS = [
    ("GET", "/job/{}"),
    ("DELETE", "/job/{}"),
    ("GET", "/job/{}/transcript.txt"),
    ("GET", "/job/{}/transcript.json"),
]


def test_another_name_is_answered_as_if_there_were_no_job(
    service: Service, api: httpx.Client
) -> None:
    theirs = queued(
        ask(api, "alice", "POST", "/upload-audio", files=audio(), data={"useQueue": "true"})
    )
    with service.worker():
        wait_until(
            lambda: ask(api, "alice", "GET", f"/job/{theirs}").json()["state"] == "completed",
            "the job has completed",
        )
    for method, path in JOB_PATHS:
        of_alice, of_nobody = (
            ask(api, "bob", method, path.format(job_id)) for job_id in (theirs, "job_none")
        )
        assert error_of(of_alice) == error_of(of_nobody) == (404, "job_not_found")
        told = of_alice.json()["message"].replace(theirs, "job_none")
        assert told == of_nobody.json()["message"]
    assert ask(api, "alice", "GET", f"/job/{theirs}/transcript.txt").status_code == 200
    assert ask(api, "", "GET", f"/job/{theirs}").json()["state"] == "completed"
    assert ask(api, "alice", "DELETE", f"/job/{theirs}").status_code == 200


def test_every_endpoint_of_a_job_looks_whose_it_is() -> None:
    """Those of later versions too: the check is the router's."""
    from echostream.web import jobs
    from echostream.web.auth import require_own_job

    assert require_own_job in [each.dependency for each in jobs.router.dependencies]


def test_the_administrators_jobs_are_not_seen_by_names(api: httpx.Client) -> None:
    job_id = note(api, "")
    assert error_of(ask(api, "alice", "GET", f"/job/{job_id}")) == (404, "job_not_found")
    assert listed(api, "alice") == []
    assert ask(api, "", "GET", f"/job/{job_id}").status_code == 200


def test_each_name_lists_its_own(api: httpx.Client) -> None:
    made = {name: [note(api, name) for _ in range(3)] for name in ("alice", "bob", "alice", "")}
    for name in ("alice", "bob"):
        for limit in (1, 2, 100):
            found = listed(api, name, limit=limit)
            assert set(made[name]) <= set(found)
            assert len(found) == len(set(found))
            assert not set(found) & {one for each in made if each != name for one in made[each]}
    assert {one for each in made.values() for one in each} <= set(listed(api, ""))


async def test_a_name_with_few_jobs_among_many_finds_them(service: Service) -> None:
    """Pages end after a bounded number of jobs that were read, and still come to the last."""
    settings = service.settings
    queue = JobQueue(settings.queue_name, settings.redis_url, retention_s=60)
    for number in range(1_100):
        owner = "alice" if number in (0, 550, 1_099) else "bob"
        await queue.add(f"job_{number}", "transcribe", {OWNER: owner})
    found: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page, cursor = await queue.page(
            ("active", "waiting"), 2, cursor, lambda job: job.owner == "alice"
        )
        found += [job.job_id for job in page]
        pages += 1
    await queue.aclose()
    assert found == ["job_1099", "job_550", "job_0"]


async def test_a_list_does_not_hold_the_texts_of_its_jobs(service: Service) -> None:
    """Each may have 16 MiB."""
    settings = service.settings
    queue = JobQueue(settings.queue_name, settings.redis_url, retention_s=60)
    for number in range(50):
        await queue.add(f"job_{number}", "transcribe", {"transcript": "hello", OWNER: "alice"})
    page, _cursor = await queue.page(("waiting",), 45, None)
    whole = await queue.status("job_0")
    await queue.aclose()
    assert [job.data for job in page] == [{OWNER: "alice"}] * 45
    assert whole.data["transcript"] == "hello"


def test_an_idempotency_key_is_the_names_own(api: httpx.Client) -> None:
    key = {"Idempotency-Key": "order 7"}
    ids = {name: note(api, name, **key) for name in TOKENS}
    assert len(set(ids.values())) == 3
    assert {name: note(api, name, **key) for name in TOKENS} == ids


def test_a_key_from_before_there_were_names_still_works(service: Service) -> None:
    key = {"Idempotency-Key": "order 8"}
    with service.api() as client:
        body = {"transcript": "hello", "useQueue": True}
        before = queued(client.post("/api/finalize", json=body, headers=key))
    with service.api(**SETTINGS) as client:
        assert note(client, "", **key) == before


def test_a_client_cannot_say_whose_job_it_is(api: httpx.Client) -> None:
    body = {"transcript": "hello", "useQueue": True, OWNER: "bob", "token_name": "bob"}
    job_id = ask(api, "alice", "POST", "/api/finalize", json=body).json()["jobId"]
    assert ask(api, "alice", "GET", f"/job/{job_id}").status_code == 200
    assert error_of(ask(api, "bob", "GET", f"/job/{job_id}")) == (404, "job_not_found")


def test_jobs_that_belong_to_nobody_are_everybodys(service: Service, api: httpx.Client) -> None:
    """Those of other programs, and of an API without tokens."""
    with service.api(api_bearer_token=None) as open_api:
        body = {"transcript": "hello", "useQueue": True}
        job_id = queued(open_api.post("/api/finalize", json=body))
    for name in TOKENS:
        assert ask(api, name, "GET", f"/job/{job_id}").status_code == 200
        assert listed(api, name) == [job_id]


def test_a_worker_does_named_jobs(service: Service, api: httpx.Client) -> None:
    job_id = note(api, "alice")
    api.headers["Authorization"] = f"Bearer {TOKENS['alice']}"
    with service.worker():
        assert ended(api, job_id)["state"] == "completed"


def test_the_owner_is_a_field_of_the_jobs_data() -> None:
    data = JobData(token_name="alice").model_dump(by_alias=True, exclude_none=True)
    assert data[OWNER] == "alice"


async def test_another_name_cannot_join(api: httpx.Client) -> None:
    job_id = await asyncio.to_thread(note, api, "alice")
    heard: dict[str, list[dict[str, Any]]] = {"alice": [], "bob": [], "": []}
    answers = {}
    clients = {}
    for name in heard:
        client = clients[name] = socketio.AsyncClient(reconnection=False)
        for event in ("job_progress", "job_failed"):
            client.on(event, lambda data, name=name: heard[name].append(data))
        await client.connect(str(api.base_url), auth={"token": TOKENS[name]})
        # Twice, because the job is being followed at the second time.
        await client.call("join_job", {"jobId": job_id}, timeout=WAIT_S)
        answers[name] = await client.call("join_job", {"jobId": job_id}, timeout=WAIT_S)
    missing = await clients["bob"].call("join_job", {"jobId": "job_none"}, timeout=WAIT_S)
    for client in clients.values():
        await client.disconnect()
    assert answers["alice"] == answers[""] == {"ok": True}
    assert json.loads(json.dumps(answers["bob"]).replace(job_id, "job_none")) == missing
    assert missing["error"] == "job_not_found"
    assert {data.get("error") for data in heard["bob"]} == {"job_not_found"}
    assert heard["alice"][0]["state"] == "waiting"
