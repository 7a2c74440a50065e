"""`/health`, `/ready`, `/metrics`, `/job/…`, request ids, and the page that describes it all."""

import re
import tempfile
import threading
from pathlib import Path

import httpx2 as httpx
import pytest

from echostream.engine import LocalEngine, Registry, Transcriber
from echostream.errors import ModelUnavailable
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from fakes import FakeInsights, FakeTranscriber
from web.support import audio, error_of, metric, serving, wait_until, wav


def test_health(api: httpx.Client) -> None:
    response = api.get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_ready_names_each_part(api: httpx.Client) -> None:
    wait_until(lambda: api.get("/ready").status_code == 200, "the engine is loaded")
    assert api.get("/ready").json() == {
        "status": "ok",
        "checks": {
            "engine": {"ok": True, "detail": "fake fake-1"},
            "insights": {"ok": True, "detail": "fake"},
            "storage": {"ok": True, "detail": "writable"},
            "queue": {"ok": True, "detail": "off"},
        },
    }


def test_not_ready_while_the_engine_loads() -> None:
    may_load = threading.Event()
    loads = []

    def load() -> Transcriber:
        loads.append(may_load.wait(30))
        return FakeTranscriber()

    def slow(settings: Settings) -> Pipeline:
        return Pipeline(settings, LocalEngine(settings, Registry.only(load)), FakeInsights())

    with serving(make_pipeline=slow) as client:
        for _ in range(3):
            response = client.get("/ready")
            assert response.status_code == 503
            assert response.json()["status"] == "unavailable"
            assert response.json()["checks"]["engine"] == {"ok": False, "detail": "loading"}
        may_load.set()
        wait_until(lambda: client.get("/ready").status_code == 200, "the engine is loaded")
    assert loads == [True]


def test_not_ready_without_a_model_and_ready_once_it_is_there() -> None:
    missing = [ModelUnavailable("the Whisper model 'base' cannot be loaded")]

    def load() -> Transcriber:
        if missing:
            raise missing[0]
        return FakeTranscriber()

    def failing(settings: Settings) -> Pipeline:
        return Pipeline(settings, LocalEngine(settings, Registry.only(load)), FakeInsights())

    def detail() -> str:
        return str(client.get("/ready").json()["checks"]["engine"]["detail"])

    with serving(make_pipeline=failing) as client:
        wait_until(lambda: "cannot be loaded" in detail(), "the failure is told")
        assert client.get("/ready").status_code == 503
        missing.clear()
        wait_until(lambda: client.get("/ready").status_code == 200, "it has been tried again")


def test_not_ready_without_room_for_uploads(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    response = api.get("/ready")
    assert response.status_code == 503
    storage = response.json()["checks"]["storage"]
    assert storage == {"ok": False, "detail": "No such file or directory"}


def test_not_ready_when_a_queue_is_asked_for() -> None:
    with serving(use_queue=True) as client:
        response = client.get("/ready")
        assert response.status_code == 503
        assert response.json()["checks"]["queue"]["ok"] is False


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_job_cannot_be_looked_up_without_a_queue(api: httpx.Client, method: str) -> None:
    response = api.request(method, "/job/job_1")
    assert error_of(response) == (503, "queue_unavailable")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("job_id", ["%2e%2e", "a b", "ж", "%00", "%ff"])
def test_what_cannot_be_a_job_id_is_refused(api: httpx.Client, method: str, job_id: str) -> None:
    response = api.request(method, f"/job/{job_id}")
    assert error_of(response) == (422, "invalid_request")


def test_each_answer_has_an_id_of_its_own(api: httpx.Client) -> None:
    ids = {api.get("/health").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_the_id_in_an_error_is_that_of_the_header(api: httpx.Client) -> None:
    response = api.get("/nowhere")
    assert response.json()["requestId"] == response.headers["x-request-id"]


def test_metrics_are_prometheus_text(api: httpx.Client) -> None:
    response = api.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", response.text, re.M))
    assert (
        types.items()
        >= {
            "echostream_requests_total": "counter",
            "echostream_request_seconds": "histogram",
            "echostream_errors_total": "counter",
            "echostream_audio_seconds_total": "counter",
            "echostream_real_time_factor": "histogram",
            "echostream_inference_queue": "gauge",
        }.items()
    )


def test_a_transcription_moves_the_metrics(api: httpx.Client) -> None:
    names = {
        "echostream_requests_total": {"method": "POST", "route": "/upload-audio", "status": "200"},
        "echostream_request_seconds_count": {"route": "/upload-audio"},
        "echostream_audio_seconds_total": {"engine": "fake"},
        "echostream_real_time_factor_count": {"engine": "fake"},
    }
    before = {name: metric(api, name, **labels) for name, labels in names.items()}
    api.post("/upload-audio", files=audio(wav(2))).raise_for_status()
    after = {name: metric(api, name, **labels) for name, labels in names.items()}
    assert {name: after[name] - before[name] for name in names} == {
        "echostream_requests_total": 1,
        "echostream_request_seconds_count": 1,
        "echostream_audio_seconds_total": 2,
        "echostream_real_time_factor_count": 1,
    }
    assert metric(api, "echostream_real_time_factor_sum", engine="fake") > 0


def test_an_error_is_counted_by_its_code(api: httpx.Client) -> None:
    labels = {"method": "POST", "route": "/upload-audio", "status": "422"}
    counted = ("echostream_errors_total", {"code": "invalid_audio"})
    requests = ("echostream_requests_total", labels)
    before = [metric(api, name, **labels) for name, labels in (counted, requests)]
    api.post("/upload-audio", files=audio(b"not audio"))
    after = [metric(api, name, **labels) for name, labels in (counted, requests)]
    assert after == [value + 1 for value in before]


def test_strangers_cannot_make_metrics_grow(api: httpx.Client) -> None:
    def samples() -> set[str]:
        return {line.split(" ")[0] for line in api.get("/metrics").text.splitlines()}

    def knock(number: int) -> None:
        api.request(f"METHOD{number}", f"/no/{number}")
        api.request(f"METHOD{number}", "/upload-audio")
        api.get(f"/job/job_{number}")
        api.post("/upload-audio", headers={"x": str(number)})

    knock(0)
    before = samples()
    for number in range(1, 5):
        knock(number)
    assert samples() == before


def test_the_queue_of_inference_is_measured() -> None:
    hold = threading.Event()
    transcriber = FakeTranscriber(hold=hold)
    with serving(transcriber, worker_concurrency=1, max_waiting=4) as client:
        assert metric(client, "echostream_inference_queue") == 0
        posts = [
            threading.Thread(target=client.post, args=("/upload-audio",), kwargs={"files": audio()})
            for _ in range(3)
        ]
        for post in posts:
            post.start()
        wait_until(lambda: metric(client, "echostream_inference_queue") == 2, "two wait")
        hold.set()
        for post in posts:
            post.join()
        assert metric(client, "echostream_inference_queue") == 0


def test_openapi_describes_every_endpoint(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    assert {path: set(found) for path, found in document["paths"].items()} == {
        "/health": {"get"},
        "/ready": {"get"},
        "/metrics": {"get"},
        "/upload-audio": {"post"},
        "/api/finalize": {"post"},
        "/job/{job_id}": {"get", "delete"},
        "/job/{job_id}/retry": {"post"},
        "/job/{job_id}/transcript.{as_format}": {"get"},
        "/jobs": {"get"},
        "/insights": {"post"},
        "/insights/models": {"get"},
        "/insights/templates": {"get"},
        "/ask": {"post"},
        "/v1/audio/transcriptions": {"post"},
        "/v1/audio/translations": {"post"},
        "/v1/models": {"get"},
        "/v1/models/{model_id}": {"get"},
    }
    ids = [found["operationId"] for path in document["paths"].values() for found in path.values()]
    assert len(ids) == len(set(ids))
    assert api.get("/docs").status_code == 200
