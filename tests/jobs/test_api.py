"""Jobs as clients of the REST API see them: a real server, a real Redis, real workers."""

import json
import os
import re
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from echostream.errors import EngineError, InvalidAudio
from echostream.jobs import new_job_id
from fakes import FakeDiarizer, FakeInsights, FakeTranscriber, voice_of
from jobs.api_support import (
    CountingInsights,
    Receiver,
    Service,
    caching,
    ended,
    in_state,
    job_of,
    queued,
    receiver,
    until,
)
from redis_server import RedisServer
from web.support import WAIT_S, EndlessTranscriber, around, audio, error_of, metric, wait_until, wav

USE_QUEUE = {"useQueue": "true"}
SAID = "we will ship on friday sarah will call the client"
FIXED = {"jobId", "state", "progress"}
TIMES = {"attempts", "createdAt", "startedAt", "finishedAt"}

# Every way to ask for something that needs the queue; `{id}` is a job's.
NEEDS_QUEUE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "upload": ("POST", "/upload-audio", {"files": audio(), "data": USE_QUEUE}),
    "url": ("POST", "/upload-audio", {"json": {"audioUrl": "http://a.example", "useQueue": True}}),
    "finalize": ("POST", "/api/finalize", {"json": {"transcript": "hello", "useQueue": True}}),
    "look": ("GET", "/job/{id}", {}),
    "cancel": ("DELETE", "/job/{id}", {}),
    "list": ("GET", "/jobs", {}),
    "export": ("GET", "/job/{id}/transcript.txt", {}),
}


@pytest.fixture(scope="module")
def redis_process() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis(redis_process: RedisServer) -> RedisServer:
    """An empty Redis."""
    redis_process.start()
    redis_process.resume()
    redis_process.flush()
    return redis_process


@pytest.fixture
def site() -> Iterator[Receiver]:
    """Serves `/talk.wav`."""
    with receiver() as server:
        server.files["/talk.wav"] = wav()
        yield server


def ask(client: httpx.Client, what: str, job_id: str = "job_none") -> httpx.Response:
    method, path, body = NEEDS_QUEUE[what]
    return client.request(method, path.format(id=job_id), **body)


def upload(client: httpx.Client, content: bytes | None = None, **fields: str) -> str:
    """Queue a file; gives the job's id."""
    return queued(client.post("/upload-audio", files=audio(content), data={**USE_QUEUE, **fields}))


def note(client: httpx.Client, text: str = "hello") -> str:
    """Queue a job that needs no engine."""
    return queued(client.post("/api/finalize", json={"transcript": text, "useQueue": True}))


def listed(client: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """Jobs on all pages, having checked that pages are as long as they may be."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        params = {**query, "cursor": cursor} if cursor else query
        page = client.get("/jobs", params=params).raise_for_status().json()
        assert set(page) == {"jobs", "cursor"}
        found += page["jobs"]
        cursor = page["cursor"]
        if cursor is None:
            return found
        assert len(page["jobs"]) == query.get("limit", 20)


# --- queued and done ------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["file", "url in JSON", "url in a form"])
def test_audio_goes_through_the_queue(service: Service, site: Receiver, source: str) -> None:
    url = {"audioUrl": site.url("/talk.wav")}
    requests: dict[str, dict[str, Any]] = {
        "file": {"files": audio(), "data": USE_QUEUE},
        "url in JSON": {"json": {**url, "useQueue": True}},
        "url in a form": {"data": {**url, **USE_QUEUE}},
    }
    with service.api() as client:
        job_id = queued(client.post("/upload-audio", **requests[source]))
        waiting = job_of(client, job_id)
        assert waiting.items() >= {"state": "waiting", "progress": 0, "attempts": 0}.items()
        assert set(waiting) == FIXED | TIMES | {"ahead"}
        assert service.files() == ([f"staged/{job_id}"] if source == "file" else [])

        with service.worker():
            job = ended(client, job_id)
        assert set(job) == FIXED | TIMES | {"result"}
        assert (job["state"], job["progress"], job["attempts"]) == ("completed", 100, 1)
        assert job["createdAt"] <= job["startedAt"] <= job["finishedAt"] <= time.time()
        assert service.files() == [f"results/{job_id}.json"]

        now = client.post("/upload-audio", files=audio()).raise_for_status().json()
    assert job["result"]["transcript"] == SAID
    # What a job gives is what the same request gives at once.
    assert now.pop("success") is True
    assert now.pop("cached") is True
    assert job["result"].pop("cached") is False
    assert job["result"] == now


def test_the_options_of_a_request_reach_the_engine(service: Service) -> None:
    engine = FakeTranscriber()
    with service.api() as client, service.worker(caching(engine)):
        job_id = upload(
            client,
            language="de-AT",
            task="translate",
            prompt="Köln",
            wordTimestamps="true",
            insights="false",
            keywords="Anouk, Kubernetes",
            model="fake-1",
        )
        result = ended(client, job_id)["result"]
    [options] = engine.calls
    assert (options.language, options.task, options.prompt) == ("de", "translate", "Köln")
    assert (options.hotwords, options.model) == (("Anouk", "Kubernetes"), "fake-1")
    assert result["segments"][0]["words"]
    assert result["insights"] is None


def test_a_field_that_is_not_known_is_told_of_at_once(service: Service) -> None:
    """It does not come into the job: it could pass for one of those that only jobs have."""
    fields = {**USE_QUEUE, "audio": "somebody-elses", "transcript": "none", "langauge": "de"}
    with service.api() as client, service.worker():
        site = {"audioUrl": "http://127.0.0.1:1/talk.wav"}
        answer = client.post("/upload-audio", json={**site, **fields}).json()
        assert [one["code"] for one in answer["warnings"]] == ["unknown_field"] * 3
        job = ended(client, answer["jobId"])
    assert (job["state"], job["error"]) == ("failed", "url_fetch_failed")


@pytest.mark.parametrize("with_audio", [True, False])
def test_a_finalize_goes_through_the_queue(service: Service, with_audio: bool) -> None:
    template = {"name": "Mine", "sections": [{"key": "risks", "title": "Risks"}]}
    fields = {
        "transcript": "Good morning.",
        "audioId": "call-7",
        "template": json.dumps(template),
        "recordedAt": "2026-11-26",
        **USE_QUEUE,
    }
    fakes = caching(insights=FakeInsights(due="by Friday"))
    with service.api() as client, service.worker(fakes):
        files = audio() if with_audio else None
        job = ended(client, queued(client.post("/api/finalize", files=files, data=fields)))
        assert (job["state"], job["progress"]) == ("completed", 100)
        result = job["result"]
        assert result["audioId"] == "call-7"
        assert result["transcript"] == ("Good morning. " + SAID if with_audio else "Good morning.")
        assert result["insights"]["summary"] == result["transcript"]
        details = result["insights"]["details"]
        assert details["meta"]["template"] == "Mine"
        assert details["action_items"][0]["due_date"] == "2026-11-27"

        unnamed = ended(client, note(client))
        assert re.fullmatch(r"rest-\d{13}", unnamed["result"]["audioId"])
    assert all(name.startswith("results/") for name in service.files())


def test_a_queued_request_is_checked_at_once(service: Service) -> None:
    with service.api() as client:
        empty = client.post("/upload-audio", json={"useQueue": True})
        assert error_of(empty) == (400, "missing_audioUrl_or_audio")
        empty = client.post("/api/finalize", data=USE_QUEUE)
        assert error_of(empty) == (400, "missing_audio_or_transcript")
        odd = client.post("/upload-audio", files=audio(), data={**USE_QUEUE, "task": "sing"})
        assert error_of(odd) == (422, "invalid_request")
        note = {"transcript": "hello", "useQueue": True, "insightsModel": "gpt"}
        assert error_of(client.post("/api/finalize", json=note)) == (422, "invalid_request")
        assert listed(client) == []
    assert service.files() == []


# --- on the way -----------------------------------------------------------------------------------


def test_progress_of_an_active_job(service: Service) -> None:
    engine = FakeTranscriber(hold=threading.Event())
    assert engine.hold is not None
    with service.api() as client, service.worker(caching(engine)):
        job_id = upload(client)
        # One of two segments is read: half of transcription, which is four fifths of the whole.
        job = until(client, job_id, lambda job: job["progress"] == 50 and job["text"])
        assert set(job) == FIXED | TIMES | {"stage", "secondsLeft", "text"}
        assert (job["stage"], job["text"]) == ("transcribing", engine.texts[0])
        assert isinstance(job["secondsLeft"], int)
        assert job["state"] == "active"
        assert job["finishedAt"] is None
        engine.hold.set()
        assert ended(client, job_id)["progress"] == 100


def test_a_failed_job_says_why(service: Service) -> None:
    with service.api() as client, service.worker():
        job_id = upload(client, b"this is no audio")
        job = ended(client, job_id)
        assert set(job) == FIXED | TIMES | {"error", "message"}
        assert (job["state"], job["error"], job["attempts"]) == ("failed", "invalid_audio", 1)
        assert job["message"]
        assert job["progress"] < 100
    assert service.files() == []


def test_a_fault_that_may_pass_is_tried_again(service: Service) -> None:
    engine = FakeTranscriber(error=EngineError("the engine broke"))
    with service.api() as client, service.worker(caching(engine)):
        job_id = upload(client)
        job = in_state(client, job_id, "delayed")
        assert set(job) == FIXED | TIMES | {"lastFailure", "retryAt"}
        assert job["lastFailure"] == {"error": "process_failed", "message": "the engine broke"}
        assert abs(job["retryAt"] - time.time()) < 10
        assert [found["jobId"] for found in listed(client, state="delayed")] == [job_id]
        engine.error = None
        job = ended(client, job_id)
        assert (job["state"], job["attempts"]) == ("completed", 2)


# --- cancelled and removed ------------------------------------------------------------------------


def removed(client: httpx.Client, job_id: str) -> None:
    """Delete a job that is not at work, and see it gone."""
    response = client.delete(f"/job/{job_id}")
    assert response.status_code == 200, response.text
    assert response.json() == {
        "success": True,
        "jobId": job_id,
        "state": "removed",
        "message": "Job removed",
    }
    for again in (client.get(f"/job/{job_id}"), client.delete(f"/job/{job_id}")):
        assert error_of(again) == (404, "job_not_found")
    assert listed(client) == []


def test_a_waiting_job_knows_its_place_in_line(service: Service) -> None:
    with service.api() as client:
        jobs = [note(client) for _ in range(3)]
        assert [job_of(client, each)["ahead"] for each in jobs] == [0, 1, 2]
        client.delete(f"/job/{jobs[1]}").raise_for_status()
        assert job_of(client, jobs[2])["ahead"] == 1


def test_delete_a_waiting_job(service: Service) -> None:
    with service.api() as client:
        job_id = upload(client)
        removed(client, job_id)
        assert service.files() == []
        with service.worker():  # it is not done after all
            other = note(client)
            assert ended(client, other)["state"] == "completed"
        assert [job["jobId"] for job in listed(client)] == [other]


def test_delete_an_active_job(service: Service) -> None:
    engine = EndlessTranscriber()
    with service.api() as client, service.worker(around(engine)):
        job_id = upload(client)
        assert engine.started.wait(20)
        response = client.delete(f"/job/{job_id}")
        assert response.status_code == 202
        assert response.json() == {
            "success": True,
            "jobId": job_id,
            "state": "active",
            "message": "Job is being stopped",
        }
        assert engine.stopped.wait(5)
        job = ended(client, job_id)
        assert (job["state"], job["error"]) == ("failed", "job_cancelled")
        wait_until(lambda: service.files() == [], "the audio is removed")
        removed(client, job_id)


def test_delete_an_ended_job(service: Service) -> None:
    with service.api() as client, service.worker():
        for content, state in ((None, "completed"), (b"no audio", "failed")):
            job_id = upload(client, content)
            assert ended(client, job_id)["state"] == state
            removed(client, job_id)
            wait_until(lambda: service.files() == [], "its files are removed")


def test_a_cancelled_job_can_be_asked_for_again(service: Service) -> None:
    """Its `Idempotency-Key` gives the same id, which must not be cancelled for good."""
    key = {"Idempotency-Key": "again"}
    engine = EndlessTranscriber()
    with service.api() as client:
        with service.worker(around(engine)):
            job_id = queued(
                client.post("/upload-audio", files=audio(), data=USE_QUEUE, headers=key)
            )
            assert engine.started.wait(20)
            client.delete(f"/job/{job_id}").raise_for_status()
            assert ended(client, job_id)["error"] == "job_cancelled"
            removed(client, job_id)
        with service.worker():
            again = client.post("/upload-audio", files=audio(), data=USE_QUEUE, headers=key)
            assert ended(client, queued(again))["state"] == "completed"


# --- unknown jobs ---------------------------------------------------------------------------------


def test_unknown_jobs(service: Service) -> None:
    # The last ones are names of the queue's own keys in Redis.
    unknown = ("job_" + "0" * 32, "1", "meta", "id", "wait", "completed", "events", "marker")
    with service.api() as client:
        note(client)
        for what in ("look", "cancel", "export"):
            for job_id in unknown:
                found = error_of(ask(client, what, job_id))
                assert found == (404, "job_not_found"), f"{what} {job_id}"
            for job_id in ("a:b", "job_ü", "x" * 129, "a*"):
                found = error_of(ask(client, what, job_id))
                assert found == (422, "invalid_request"), f"{what} {job_id}"
        assert len(listed(client)) == 1


# --- lists ----------------------------------------------------------------------------------------


def test_pages_lose_nothing(service: Service) -> None:
    with service.api() as client:
        with service.worker():
            wanted = {
                "completed": [note(client) for _ in range(8)],
                "failed": [upload(client, b"no audio") for _ in range(6)],
            }
            for job_id in (*wanted["completed"], *wanted["failed"]):
                ended(client, job_id)
        wanted["waiting"] = [note(client) for _ in range(11)]

        for limit in (1, 7, 25, 100):
            found = listed(client, limit=limit)
            ids = [job["jobId"] for job in found]
            assert len(ids) == len(set(ids)) == 25
            states = ["waiting"] * 11 + ["completed"] * 8 + ["failed"] * 6
            assert [job["state"] for job in found] == states
        for state, ids in wanted.items():
            for limit in (4, 11):
                found = listed(client, state=state, limit=limit)
                assert {job["jobId"] for job in found} == set(ids)
                assert len(found) == len(ids)
            when = "createdAt" if state == "waiting" else "finishedAt"
            times = [job[when] for job in found]
            assert times == sorted(times, reverse=True), f"{state}: not the newest first"

        first = client.get("/jobs").json()
        assert len(first["jobs"]) == 20
        assert first["cursor"] is not None
        by_state = {job["state"]: set(job) for job in found}
        extra = {"failed": {"error", "message"}}
        for state, fields in by_state.items():
            assert fields == FIXED | TIMES | extra.get(state, set())
        assert listed(client, state="active") == listed(client, state="delayed") == []


def test_bad_parameters_of_a_list(service: Service) -> None:
    cursors = ("next", "", "0.-1", "0.1.1", "٣.٣", "0." + "9" * 30, "1" * 41)
    with service.api() as client:
        note(client)
        for query in (
            *({"state": state} for state in ("finished", "", "wait")),
            *({"limit": limit} for limit in ("0", "101", "-1", "many", "")),
            *({"cursor": cursor} for cursor in cursors),
        ):
            response = client.get("/jobs", params=query)
            assert error_of(response) == (422, "invalid_request"), query
        # One that is past the end leads to an empty last page.
        page = client.get("/jobs", params={"cursor": "9.0"}).json()
        assert page == {"jobs": [], "cursor": None}


# --- exports --------------------------------------------------------------------------------------


def test_exports(service: Service) -> None:
    engine = FakeTranscriber(texts=("Grüße aus Köln", "if a < b & c"))
    expected = {
        "txt": ("text/plain; charset=utf-8", "Grüße aus Köln\nif a < b & c\n"),
        "srt": (
            "application/x-subrip",
            "1\n00:00:00,000 --> 00:00:01,000\nGrüße aus Köln if a < b & c\n",
        ),
        "vtt": (
            "text/vtt; charset=utf-8",
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nGrüße aus Köln if a &lt; b &amp; c\n",
        ),
    }
    with service.api() as client, service.worker(caching(engine)):
        job_id = upload(client)
        result = ended(client, job_id)["result"]

        def exported(as_format: str) -> httpx.Response:
            response = client.get(f"/job/{job_id}/transcript.{as_format}").raise_for_status()
            name = f'attachment; filename="{job_id}.{as_format}"'
            assert response.headers["content-disposition"] == name
            return response

        for as_format, (content_type, text) in expected.items():
            response = exported(as_format)
            assert response.headers["content-type"] == content_type
            assert response.content.decode() == text

        response = exported("json")
        assert response.headers["content-type"] == "application/json"
        assert response.json() == {"success": True, **result}

        response = exported("md")
        assert response.headers["content-type"] == "text/markdown; charset=utf-8"
        lines = response.text.splitlines()
        assert lines[0] == "# Fake"
        assert "**00:00:00** Grüße aus Köln" in lines

        other = client.get(f"/job/{job_id}/transcript.docx")
        assert error_of(other) == (422, "invalid_request")


def test_speakers_of_a_job(service: Service) -> None:
    known = json.dumps([{"name": "Ann", "voice": voice_of("B").dump()}])
    fields = {**USE_QUEUE, "minSpeakers": "2", "knownSpeakers": known}
    hold = threading.Event()
    diarizer = FakeDiarizer(hold=hold)
    with service.api() as client, service.worker(caching(diarizer=diarizer)):
        job_id = queued(client.post("/upload-audio", files=audio(), data=fields))
        until(client, job_id, lambda job: job.get("stage") == "diarizing")
        hold.set()
        result = ended(client, job_id)["result"]
        assert [segment["speaker"] for segment in result["segments"]] == ["A", "Ann"]
        assert [(each["id"], each["name"]) for each in result["speakers"]] == [
            ("A", None),
            ("Ann", "Ann"),
        ]
        assert result["speakers"][0]["voice"] == voice_of("A").dump()
        exports = {
            each: client.get(f"/job/{job_id}/transcript.{each}").text
            for each in ("txt", "srt", "vtt", "md")
        }
        assert exports["txt"].splitlines()[1] == "Ann: sarah will call the client"
        assert "Ann: sarah" in exports["srt"]
        assert "<v Ann>sarah" in exports["vtt"]
        assert "**Ann:** sarah" in exports["md"]
        asked = diarizer.calls[0]
        assert (asked.least, asked.known[0].voice) == (2, voice_of("B"))


def test_a_job_outlives_its_diarizer(service: Service) -> None:
    fields = {**USE_QUEUE, "diarize": "true"}
    broken = FakeDiarizer(error=MemoryError())
    with service.api() as client, service.worker(caching(diarizer=broken)):
        job = ended(client, queued(client.post("/upload-audio", files=audio(), data=fields)))
        assert (job["state"], job["result"]["transcript"]) == ("completed", SAID)
        assert [each["code"] for each in job["result"]["warnings"]] == ["diarization_failed"]


def test_no_export_before_the_end(service: Service) -> None:
    def no_transcript(job_id: str, state: str) -> None:
        response = client.get(f"/job/{job_id}/transcript.srt")
        assert error_of(response) == (404, "job_not_found")
        assert state in response.json()["message"]

    engine = FakeTranscriber(hold=threading.Event())
    assert engine.hold is not None
    with service.api() as client:
        job_id = upload(client)
        no_transcript(job_id, "waiting")
        with service.worker(caching(engine)):
            in_state(client, job_id, "active")
            no_transcript(job_id, "active")
            assert engine.started.wait(WAIT_S), "the error is meant for the other job"
            engine.error = InvalidAudio("nothing to hear")
            failed = upload(client)
            assert ended(client, failed)["state"] == "failed"
            no_transcript(failed, "failed")
            engine.hold.set()
            ended(client, job_id)
        assert client.get(f"/job/{job_id}/transcript.srt").status_code == 200
        usual = client.get(f"/job/{job_id}/transcript.txt").text
        timed = client.get(f"/job/{job_id}/transcript.txt", params={"times": True}).text
        assert [line[9:] for line in timed.splitlines()] == usual.splitlines()
        assert timed.startswith("00:00:00 ")
        assert client.get(f"/job/{job_id}/transcript.srt?maxCueLines=9").status_code == 422


def test_a_result_that_is_gone_is_not_a_fault(service: Service) -> None:
    with service.api() as client, service.worker():
        job_id = note(client)
        ended(client, job_id)
        (service.folder / "results" / f"{job_id}.json").unlink()
        for path in (f"/job/{job_id}", f"/job/{job_id}/transcript.txt"):
            assert error_of(client.get(path)) == (404, "job_not_found")


# --- the same request twice -----------------------------------------------------------------------


def test_the_same_key_gives_the_same_job(service: Service) -> None:
    def add(key: str | None, text: str = "hello") -> str:
        headers = {"Idempotency-Key": key} if key is not None else {}
        body = {"transcript": text, "useQueue": True}
        return queued(client.post("/api/finalize", json=body, headers=headers))

    with service.api() as client:
        first = add("a")
        assert add("a") == first
        assert add("a", "something else") == first
        with service.worker():
            ended(client, first)
        assert add("a") == first
        assert job_of(client, first)["state"] == "completed"
        long = "k" * 3000
        others = [add("b"), add("A"), add(long), add(long + "k"), add(None), add(None)]
        others += [add(""), add("")]  # an empty header is none
        assert len({first, *others}) == 9
        assert len(listed(client)) == 9


def test_the_same_key_at_the_same_time(service: Service) -> None:
    """Ten requests at two API hosts, of which each may stage the audio."""
    sound = wav(20)  # large enough for the requests to overlap

    def add(client: httpx.Client) -> str:
        together.wait()
        headers = {"Idempotency-Key": "once"}
        return queued(
            client.post("/upload-audio", files=audio(sound), data=USE_QUEUE, headers=headers)
        )

    together = threading.Barrier(10)
    with service.api() as here, service.api() as there, ThreadPoolExecutor(10) as pool:
        [job_id] = set(pool.map(add, [here, there] * 5))
        assert [job["jobId"] for job in listed(here)] == [job_id]
        assert service.files() == [f"staged/{job_id}"]
        assert (service.folder / "staged" / job_id).read_bytes() == sound
        with service.worker():
            assert ended(there, job_id)["state"] == "completed"
        assert service.files() == [f"results/{job_id}.json"]


def test_ids_cannot_be_guessed(service: Service) -> None:
    with service.api() as client:
        job_id = note(client)
    assert re.fullmatch(r"job_[0-9a-f]{32}", job_id)
    ids = [new_job_id() for _ in range(2000)]
    numbers = [int(one.removeprefix("job_"), 16) for one in ids]
    assert len(set(numbers)) == 2000
    for bit in range(128):  # each is set in half of them, give or take nine deviations
        assert 800 < sum(number >> bit & 1 for number in numbers) < 1200


# --- who may ask, and without a queue -------------------------------------------------------------


def test_a_token_is_needed(service: Service) -> None:
    with service.api(api_bearer_token="t0ken") as client:
        right = {"Authorization": "Bearer t0ken"}
        client.headers.update(right)
        job_id = note(client)
        for what in NEEDS_QUEUE:
            for wrong in ("", "Bearer wrong", "Basic t0ken"):
                client.headers["Authorization"] = wrong
                assert error_of(ask(client, what, job_id)) == (401, "unauthorized"), what
        client.headers.update(right)
        assert [job["jobId"] for job in listed(client)] == [job_id]
        for what in ("upload", "url", "finalize", "look", "list", "cancel"):
            assert ask(client, what, job_id).status_code == 200, what


def test_a_server_without_a_queue(service: Service) -> None:
    with service.api(use_queue=False) as client:
        for what in NEEDS_QUEUE:
            assert error_of(ask(client, what)) == (503, "queue_unavailable"), what
        assert client.post("/upload-audio", files=audio()).json()["transcript"] == SAID
    assert service.files() == []


# --- callbacks ------------------------------------------------------------------------------------

SECRET = "whsec_" + "c2VjcmV0" * 5


@pytest.mark.parametrize(
    ("settings", "urls", "expected"),
    [
        ({}, ["https://example.com/hook"], (422, "invalid_request")),
        (
            {"webhook_secret": SECRET, "allow_private_urls": False},
            [
                "http://127.0.0.1/hook",
                "http://[::ffff:10.0.0.1]/hook",
                "ftp://example.com/hook",
                "somewhere",
            ],
            (400, "url_not_allowed"),
        ),
    ],
    ids=["no secret", "not allowed"],
)
def test_a_callback_that_cannot_be_made_is_refused(
    service: Service, settings: dict[str, Any], urls: list[str], expected: tuple[int, str]
) -> None:
    with service.api(**settings) as client:
        for url in urls:
            fields = {**USE_QUEUE, "callbackUrl": url}
            for path in ("/upload-audio", "/api/finalize"):
                response = client.post(path, files=audio(), data=fields)
                assert error_of(response) == expected, url
        assert listed(client) == []
    assert service.files() == []


# --- Redis away -----------------------------------------------------------------------------------

OUTAGES: dict[str, tuple[Callable[[RedisServer], None], Callable[[RedisServer], None]]] = {
    "stopped": (RedisServer.stop, RedisServer.start),
    "hung": (RedisServer.pause, RedisServer.resume),
}


@pytest.fixture(params=OUTAGES)
def outage(
    request: pytest.FixtureRequest, redis: RedisServer
) -> Callable[[], AbstractContextManager[None]]:
    """`with outage():` Redis is away."""
    go, come_back = OUTAGES[request.param]

    @contextmanager
    def away() -> Iterator[None]:
        go(redis)
        try:
            yield
        finally:
            come_back(redis)

    return away


def timed(request: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    started = time.monotonic()
    return request(), time.monotonic() - started


def test_redis_away(service: Service, outage: Callable[[], AbstractContextManager[None]]) -> None:
    with service.api() as client, ThreadPoolExecutor(12) as pool:
        wait_until(lambda: client.get("/ready").status_code == 200, "the server is ready")
        job_id = note(client)
        others = {
            "health": lambda: client.get("/health"),
            "ready": lambda: client.get("/ready"),
            "metrics": lambda: client.get("/metrics"),
            "at once": lambda: client.post("/upload-audio", files=audio()),
        }
        with outage():
            for asked in ({}, others):  # the others once it is known to be away
                tries = {what: pool.submit(timed, work) for what, work in asked.items()}
                refused = {
                    what: pool.submit(timed, partial(ask, client, what, job_id))
                    for what in NEEDS_QUEUE
                }
                for what, tried in refused.items():
                    response, took_s = tried.result()
                    assert error_of(response) == (503, "queue_unavailable"), what
                    assert took_s < 3, what
            answers = {what: tried.result() for what, tried in tries.items()}

        response, took_s = answers["health"]
        assert (response.json(), took_s < 1) == ({"status": "ok"}, True)

        response, took_s = answers["ready"]
        assert (response.status_code, took_s < 3) == (503, True)
        ok = {name: check["ok"] for name, check in response.json()["checks"].items()}
        assert ok.pop("queue") is False
        assert all(ok.values())

        response, took_s = answers["metrics"]
        assert took_s < 3
        assert 'echostream_errors_total{code="queue_unavailable"}' in response.text
        assert "echostream_jobs{" not in response.text

        response, took_s = answers["at once"]
        assert response.json()["transcript"] == SAID
        assert took_s < 5

        # Back again, without a restart; what was queued before is still there, nothing else is.
        wait_until(lambda: client.get("/ready").status_code == 200, "the server is ready again")
        assert [job["jobId"] for job in listed(client)] == [job_id]
        assert metric(client, "echostream_jobs", state="waiting") == 1
        with service.worker():
            for one in (job_id, upload(client)):
                assert ended(client, one)["state"] == "completed"


def test_a_request_repeated_over_an_outage_is_one_job(
    service: Service, outage: Callable[[], AbstractContextManager[None]]
) -> None:
    def add() -> httpx.Response:
        headers = {"Idempotency-Key": "over an outage"}
        return client.post("/upload-audio", files=audio(), data=USE_QUEUE, headers=headers)

    with service.api() as client:
        with outage():
            assert error_of(add()) == (503, "queue_unavailable")
        wait_until(lambda: client.get("/jobs").status_code == 200, "the queue is back")
        job_id = queued(add())
        assert [job["jobId"] for job in listed(client)] == [job_id]
        assert service.files() == [f"staged/{job_id}"]


def test_not_ready_without_storage(service: Service) -> None:
    service.folder.touch()  # a file where a folder has to be
    with service.api() as client:
        wait_until(lambda: client.get("/ready").json()["checks"]["engine"]["ok"], "the engine")
        response = client.get("/ready")
        assert response.status_code == 503
        checks = response.json()["checks"]
        assert [name for name, check in checks.items() if not check["ok"]] == ["jobStorage"]
        assert str(service.folder) not in response.text


# --- disk full ------------------------------------------------------------------------------------


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """No room for 300 KiB: a small file system where we may mount one, else a limit on files."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0:
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (128 * 1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk(service: Service) -> None:
    headers = {"Idempotency-Key": "fits in the end"}

    def add(seconds: float) -> httpx.Response:
        sound = audio(wav(seconds))
        return client.post("/upload-audio", files=sound, data=USE_QUEUE, headers=headers)

    with service.api() as client, full_disk(service.folder):
        assert error_of(add(10)) == (507, "storage_full")
        assert service.files() == []
        assert listed(client) == []
        # One that fits goes through, also under the key of the one that did not.
        job_id = queued(add(1))
        assert service.files() == [f"staged/{job_id}"]
        with service.worker():
            assert ended(client, job_id)["state"] == "completed"


# --- cache ----------------------------------------------------------------------------------------


def transcribe(client: httpx.Client, content: bytes | None = None, **fields: str) -> bool:
    """Transcribe at once; whether it was cached."""
    body = client.post("/upload-audio", files=audio(content), data=fields).raise_for_status().json()
    assert body["transcript"] == SAID
    cached = body["cached"]
    assert isinstance(cached, bool)
    return cached


@pytest.mark.parametrize("use_queue", [True, False], ids=["in Redis", "in memory"])
def test_the_same_audio_is_not_transcribed_twice(service: Service, use_queue: bool) -> None:
    engine, insights = FakeTranscriber(), CountingInsights()
    with service.api(caching(engine, insights), use_queue=use_queue) as client:
        assert not transcribe(client)
        assert transcribe(client)
        assert len(engine.calls) == 1
        assert insights.asked == [SAID]
        # The same sound in another file is the same audio.
        assert transcribe(client, wav(channels=2))
        assert len(engine.calls) == 1

        options = ({"language": "en"}, {"task": "translate"}, {"prompt": "Friday"})
        for number, fields in enumerate(options, start=2):
            assert not transcribe(client, **fields)
            assert transcribe(client, **fields)
            assert len(engine.calls) == number
        assert not transcribe(client, wav(2))
        assert len(engine.calls) == 5


def test_api_and_workers_share_the_cache(service: Service) -> None:
    api_engine, worker_engine = FakeTranscriber(), FakeTranscriber()
    api_insights, worker_insights = CountingInsights(), CountingInsights()
    with (
        service.api(caching(api_engine, api_insights)) as client,
        service.worker(caching(worker_engine, worker_insights)),
    ):
        assert not transcribe(client)
        result = ended(client, upload(client))["result"]
        assert (result["transcript"], result["cached"]) == (SAID, True)
        assert result["insights"]["summary"] == SAID
        assert (len(api_engine.calls), len(worker_engine.calls)) == (1, 0)

        other = wav(2)
        assert not ended(client, upload(client, other))["result"]["cached"]
        assert transcribe(client, other)
        assert (len(api_engine.calls), len(worker_engine.calls)) == (1, 1)
        # The insights into the second one are those of the worker.
        assert (len(api_insights.asked), len(worker_insights.asked)) == (1, 1)


@pytest.mark.parametrize("use_queue", [True, False], ids=["in Redis", "in memory"])
def test_a_cache_turned_off(service: Service, use_queue: bool) -> None:
    engine, insights = FakeTranscriber(), CountingInsights()
    pipeline = caching(engine, insights)
    with service.api(pipeline, use_queue=use_queue, cache_ttl_s=0) as client:
        assert not transcribe(client)
        assert not transcribe(client)
    assert len(engine.calls) == len(insights.asked) == 2


# --- metrics and the page that describes it all ---------------------------------------------------


def test_jobs_by_state_in_the_metrics(service: Service) -> None:
    def counted() -> dict[str, float]:
        states = ("active", "waiting", "delayed", "completed", "failed")
        return {state: metric(client, "echostream_jobs", state=state) for state in states}

    none = dict.fromkeys(("active", "waiting", "delayed", "completed", "failed"), 0.0)
    engine = FakeTranscriber(hold=threading.Event())
    assert engine.hold is not None
    with service.api() as client:
        assert counted() == none
        with service.worker(caching(engine), worker_concurrency=1):
            for content in (b"no audio", b"nor this"):
                ended(client, upload(client, content))
            ended(client, note(client))
            in_state(client, active := upload(client), "active")
            for _ in range(3):
                note(client)
            wanted = {"active": 1.0, "waiting": 3.0, "completed": 1.0, "failed": 2.0}
            assert counted() == none | wanted
            engine.hold.set()
            ended(client, active)
            wait_until(lambda: counted() == none | {"completed": 5.0, "failed": 2.0}, "all done")


def test_the_openapi_page_knows_of_jobs(service: Service) -> None:
    with service.api() as client:
        spec = client.get("/openapi.json").raise_for_status().json()
    paths = spec["paths"]
    for path in ("/upload-audio", "/api/finalize"):
        operation = paths[path]["post"]
        for media in operation["requestBody"]["content"].values():
            assert {"useQueue", "callbackUrl"} <= set(media["schema"]["properties"])
        assert "queue_unavailable" in operation["responses"]["503"]["description"]
        assert "storage_full" in operation["responses"]["507"]["description"]
        assert [one["name"] for one in operation["parameters"]] == ["Idempotency-Key"]
        answers = operation["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"]
        assert {"$ref": "#/components/schemas/QueuedShape"} in answers
    for path in ("/job/{job_id}", "/jobs", "/job/{job_id}/transcript.{as_format}"):
        for operation in paths[path].values():
            assert {"401", "404", "422", "503"} <= set(operation["responses"])
    assert "202" in paths["/job/{job_id}"]["delete"]["responses"]
