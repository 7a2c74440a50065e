"""Uploads whose progress the client watches (`Accept: text/event-stream`)."""

import gc
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest

from echostream.errors import EngineError
from fakes import FakeTranscriber
from web.support import (
    WAIT_S,
    BrokenTranscriber,
    EndlessTranscriber,
    around,
    audio,
    error_of,
    metric,
    open_descriptors,
    serving,
    wait_until,
)

WATCHED = {"Accept": "text/event-stream"}


def events_of(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events as they come."""
    name = ""
    for line in response.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def test_progress_comes_before_the_whole_answer() -> None:
    hold = threading.Event()
    with serving(FakeTranscriber(hold=hold)) as client:
        with client.stream("POST", "/upload-audio", files=audio(), headers=WATCHED) as response:
            events = events_of(response)
            for name, shape in events:
                assert name == "progress"
                if shape["text"]:
                    break
            hold.set()
            *_, (name, done) = events
        assert shape.keys() == {"stage", "progress", "secondsLeft", "text"}
        assert (shape["stage"], shape["text"]) == ("transcribing", "we will ship on friday")
        assert 0 < shape["progress"] < 100
        assert name == "done"
        assert done["transcript"] == "we will ship on friday sarah will call the client"
        assert done.keys() == client.post("/upload-audio", files=audio()).json().keys()


def test_an_error_at_once_is_an_ordinary_answer() -> None:
    broken = BrokenTranscriber(EngineError("it broke"))
    with serving(make_pipeline=around(broken)) as client:
        response = client.post("/upload-audio", files=audio(), headers=WATCHED)
        assert error_of(response) == (500, "process_failed")


def test_a_later_error_is_the_last_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echostream.web.watched._FIRST_S", 0)
    broken = BrokenTranscriber(EngineError("it broke"))
    with serving(make_pipeline=around(broken)) as client:
        response = client.post("/upload-audio", files=audio(), headers=WATCHED)
        *before, (name, fault) = events_of(response)
        assert response.status_code == 200
        assert {each for each, _ in before} == {"progress"}
        assert (name, fault["error"], fault["message"]) == ("error", "process_failed", "it broke")
        assert fault["requestId"] == response.headers["x-request-id"]
        assert metric(client, "echostream_errors_total", code="process_failed") == 1


def test_a_client_that_leaves_stops_the_engine_and_frees_its_file(
    caplog: pytest.LogCaptureFixture,
) -> None:
    endless = EndlessTranscriber()
    with serving(make_pipeline=around(endless), worker_concurrency=1) as client:
        client.post("/upload-audio", headers=WATCHED)  # so that all that the server needs is there
        before = open_descriptors()
        with client.stream("POST", "/upload-audio", files=audio(), headers=WATCHED) as response:
            assert next(events_of(response))[0] == "progress"
        assert endless.stopped.wait(WAIT_S)
        wait_until(lambda: open_descriptors() <= before, "its descriptors are closed")
    gc.collect()  # so that asyncio tells of errors that nobody has read
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == []
