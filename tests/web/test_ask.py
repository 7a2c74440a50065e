"""Questions over HTTP, answered at once or in a stream, by a real SDK or a scripted model."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import pytest

from echostream.building import local_pipeline
from echostream.engine import LocalEngine, Registry
from echostream.insights import Questions
from echostream.llm.base import InsightsError, Prompt, Shape, Usage
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from fakes import FakeInsights, FakeTranscriber
from llm.standins import Reply, openai_reply, openai_stream, standing_in
from web.support import WAIT_S, error_of, metric, secret_fault, serving

SEGMENTS = [
    {"id": 4, "text": "The budget is too high.", "speaker": "Ann"},
    {"id": 7, "text": "Sarah will send the report by Friday."},
]
ASKED = {"segments": SEGMENTS, "question": "Who sends the report?"}


@dataclass
class ScriptedModel:
    """Streams its `pieces`, then raises `error` if there is one, or waits if it is to `hang`."""

    pieces: tuple[str, ...] = ()
    error: Exception | None = None
    hang: bool = False
    name: str = "scripted"
    model: str | None = "scripted-1"
    stopped: threading.Event = field(default_factory=threading.Event)

    async def complete(self, prompt: Prompt, usage: Usage) -> str:
        return "".join([piece async for piece in self.stream(prompt, usage)])

    async def answer(self, prompt: Prompt, shape: type[Shape], usage: Usage) -> Shape:
        raise NotImplementedError

    async def stream(self, _prompt: Prompt, _usage: Usage) -> AsyncGenerator[str]:
        try:
            for piece in self.pieces:
                yield piece
            if self.error:
                raise self.error
            if self.hang:
                await asyncio.Event().wait()
        finally:
            self.stopped.set()

    async def aclose(self) -> None:
        pass


def around(model: ScriptedModel) -> Callable[[Settings], Pipeline]:
    def make(settings: Settings) -> Pipeline:
        transcriber = FakeTranscriber()
        engine = LocalEngine(settings, Registry.only(lambda: transcriber, transcriber.model))
        return Pipeline(settings, engine, FakeInsights(), questions=Questions(model, 10_000))

    return make


@contextmanager
def asking(*script: Reply) -> Iterator[httpx.Client]:
    """A client of a server whose language model is a stand-in behind the real SDK."""
    with (
        standing_in(*script) as model,
        serving(
            make_pipeline=local_pipeline,
            openai_base_url=f"{model.url}/v1",
            openai_model="llama",
            asr_engine="pocketsphinx",
        ) as client,
    ):
        yield client


def events(text: str) -> list[tuple[str, Any]]:
    """Names and data of server-sent events."""
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_an_answer() -> None:
    with asking(openai_reply("Sarah does [2][9].")) as client:
        body = client.post("/ask", json=ASKED).raise_for_status().json()
    meta = body.pop("meta")
    assert body == {"answer": "Sarah does [1].", "evidence": [{"segment": 7}], "found": True}
    assert (meta["provider"], meta["model"], meta["coverage"]) == ("openai", "llama", 1.0)
    assert meta["tokens"] == {"sent": 900, "written": 9}


def test_an_answer_from_several_recordings() -> None:
    recordings = [
        {"id": "a", "title": "Monday", "segments": SEGMENTS},
        {"id": "b", "segments": [{"id": 4, "text": "The report has been sent."}]},
    ]
    turns = [{"question": "Hello?", "answer": "Hello."}]
    with asking(openai_reply("It was sent [3], as promised [2].")) as client:
        body = client.post(
            "/ask", json={"recordings": recordings, "question": "And?", "history": turns}
        ).json()
    assert body["evidence"] == [{"recording": "b", "segment": 4}, {"recording": "a", "segment": 7}]


def test_what_the_recordings_do_not_hold() -> None:
    with asking(openai_reply("They do not say.")) as client:
        body = client.post("/ask", json=ASKED).json()
    assert (body["answer"], body["evidence"], body["found"]) == ("They do not say.", [], False)


def test_a_stream() -> None:
    with asking(openai_stream("Sarah", " does [", "2", "].")) as client:
        response = client.post("/ask", json=ASKED | {"stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    *deltas, (name, done) = events(response.text)
    assert [kind for kind, _ in deltas] == ["delta"] * len(deltas)
    assert "".join(delta["text"] for _, delta in deltas) == done["answer"] == "Sarah does [1]."
    assert (name, done["evidence"], done["found"]) == ("done", [{"segment": 7}], True)


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_fails_is_an_error(stream: bool) -> None:
    with serving(make_pipeline=around(ScriptedModel(error=InsightsError("no quota")))) as client:
        response = client.post("/ask", json=ASKED | {"stream": stream})
    assert error_of(response) == (502, "answer_failed")
    assert response.json()["message"] == "the language model failed: no quota"


@pytest.mark.parametrize(
    ("error", "code"),
    [(InsightsError("cut off"), "answer_failed"), (secret_fault(), "process_failed")],
)
def test_a_model_that_fails_amid_its_answer(error: Exception, code: str) -> None:
    model = ScriptedModel(("Sarah", " does"), error)
    with serving(make_pipeline=around(model)) as client:
        response = client.post("/ask", json=ASKED | {"stream": True})
        assert metric(client, "echostream_errors_total", code=code) == 1
    *deltas, (name, fault) = events(response.text)
    assert deltas == [("delta", {"text": "Sarah"}), ("delta", {"text": " does"})]
    assert (name, fault["error"]) == ("error", code)
    assert set(fault) == {"error", "message", "requestId"}
    assert "secret" not in fault["message"]


def test_a_client_that_leaves_stops_the_model() -> None:
    model = ScriptedModel(("Sarah",), hang=True)
    with serving(make_pipeline=around(model)) as client:
        with client.stream("POST", "/ask", json=ASKED | {"stream": True}) as response:
            lines = response.iter_lines()  # held, because one that is dropped hangs up
            assert next(lines) == "event: delta"
            assert not model.stopped.is_set()
        assert model.stopped.wait(WAIT_S)


def test_a_client_that_does_not_wait_stops_the_model() -> None:
    model = ScriptedModel(hang=True)
    with serving(make_pipeline=around(model)) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/ask", json=ASKED, timeout=0.5)
        assert model.stopped.wait(WAIT_S)


def test_without_a_language_model() -> None:
    with serving() as client:
        assert error_of(client.post("/ask", json=ASKED)) == (503, "no_language_model")


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    with serving(make_pipeline=around(ScriptedModel(("Yes.",)))) as client:
        yield client


RECORDING = {"id": "a", "segments": SEGMENTS}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": None}, "question: "),
        ({"question": " \n"}, "question: "),
        ({"question": "x" * 2001}, "question: "),
        ({"question": "\ud800"}, "the body is not valid JSON: "),
        ({"segments": None}, "send either 'segments' or 'recordings'"),
        ({"segments": []}, "segments: "),
        ({"segments": [SEGMENTS[0], SEGMENTS[0]]}, "segments: two segments have the id 4"),
        ({"segments": [{"id": 1, "text": ""}]}, "segments: no segment has any text"),
        ({"recordings": [RECORDING]}, "send either 'segments' or 'recordings'"),
        ({"segments": None, "recordings": []}, "recordings: "),
        ({"segments": None, "recordings": [RECORDING] * 2}, "two recordings have the same id"),
        ({"segments": None, "recordings": [RECORDING | {"id": ""}]}, "recordings.0.id: "),
        ({"segments": None, "recordings": [{"id": "a"}]}, "recordings.0.segments: "),
        (
            {"segments": None, "recordings": [RECORDING | {"title": "x" * 501}]},
            "recordings.0.title",
        ),
        ({"history": [{"question": "Who?"}]}, "history.0.answer: "),
        ({"history": [{"question": "Who?", "answer": "x" * 8001}]}, "history.0.answer: "),
        ({"history": [{"question": "Who?", "answer": "Ann."}] * 21}, "history: "),
        ({"stream": "perhaps"}, "stream: "),
    ],
)
def test_bad_input_is_named(api: httpx.Client, changes: dict[str, Any], message: str) -> None:
    response = api.post("/ask", content=json.dumps(ASKED | changes))
    assert error_of(response) == (422, "invalid_request")
    assert response.json()["message"].startswith(message)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_what_is_not_a_json_object(api: httpx.Client, body: bytes) -> None:
    assert error_of(api.post("/ask", content=body)) == (422, "invalid_request")
