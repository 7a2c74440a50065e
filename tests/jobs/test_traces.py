"""One trace leads from an upload through the queue to the insights, over processes."""

from collections.abc import Iterator

import pytest

from collector import Seen, collector
from echostream import traces
from jobs.api_support import Service, ended, queued
from jobs.place import free_port
from redis_server import RedisServer
from web.support import audio, wait_until

CALLER = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{CALLER}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def parents_of(spans: list[Seen], span: Seen) -> list[str]:
    """The names of all steps that a step is part of, the nearest first."""
    by_id = {each.span_id: each for each in spans}
    names = []
    while span.parent_id in by_id:
        span = by_id[span.parent_id]
        names.append(span.name)
    return names


def test_a_job_is_one_trace_over_two_processes(service: Service) -> None:
    """Begun by the caller, if it says so."""
    with collector() as found:
        service.values["otel_exporter_otlp_endpoint"] = found.url
        with service.worker_process(), service.api() as client:
            body = {"files": audio(), "data": {"useQueue": "true"}}
            job_id = queued(
                client.post("/upload-audio", **body, headers={"traceparent": TRACEPARENT})
            )
            status = ended(client, job_id)
            assert status["state"] == "completed"
            assert status["result"]["warnings"] == []  # such as of an unknown field
            wait_until(lambda: bool(found.named("job transcribe")), "the worker tells")
        wait_until(lambda: bool(found.named("POST /upload-audio")), "the API tells")
    [job] = found.named("job transcribe")
    assert job.trace_id == CALLER
    assert (job.service, job.attributes["job_id"]) == ("echostream-worker", job_id)
    assert parents_of(found.spans, job) == ["enqueue", "POST /upload-audio"]
    [upload] = found.named("POST /upload-audio")
    assert (upload.service, upload.trace_id) == ("echostream-api", CALLER)
    assert upload.parent_id == "b7ad6b7169203331"
    assert upload.attributes["http.response.status_code"] == 200
    for name in ("decode", "transcribe", "insights"):
        [step] = found.named(name)
        assert step.service == "echostream-worker"
        assert parents_of(found.spans, step)[0] == "job transcribe"
    assert not any(span.failed for span in found.spans)


def test_a_request_without_a_queue_is_one_trace(service: Service) -> None:
    with collector() as found:
        with service.api(otel_exporter_otlp_endpoint=found.url) as client:
            client.post("/upload-audio", files=audio()).raise_for_status()
            assert client.post("/upload-audio", files=audio(b"no sound")).status_code == 422
            client.get("/health").raise_for_status()
        uploads = found.named("POST /upload-audio")
    assert len(uploads) == 2
    assert len({span.trace_id for span in uploads}) == 2
    steps = [span.name for span in found.spans if span.trace_id == uploads[0].trace_id]
    assert set(steps) == {"decode", "transcribe", "insights", "POST /upload-audio"}
    assert [span.name for span in found.spans if span.failed] == ["decode"]
    assert not [span for span in found.spans if "health" in span.name]


@pytest.mark.parametrize("traceparent", ["nonsense", "00-0-0-00", 7, None, ["a"], "x" * 100_000])
def test_a_job_of_another_program_begins_a_trace(traceparent: object) -> None:
    """Whatever it has in the place of ours."""
    with collector() as found:
        traces.start(found.url, "a test")
        with traces.span("a job", continues={"traceparent": traceparent}):
            assert set(traces.ids()) == {"trace_id", "span_id"}
            assert traces.ids()["trace_id"] in traces.carrier()["traceparent"]


def test_without_a_collector_there_are_no_traces() -> None:
    """A stranger's id reaches neither the logs nor the queue."""
    with traces.span("a step", continues={"traceparent": TRACEPARENT}):
        assert traces.ids() == {}
        assert traces.carrier() == {}


async def test_a_collector_that_is_away_holds_nobody_up() -> None:
    with collector():
        traces.start(f"http://127.0.0.1:{free_port()}", "a test")
        with traces.span("a step"):
            pass
        await traces.flush()
