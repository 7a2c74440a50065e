"""The OpenAI-compatible API, as the official SDK sees it and as raw HTTP."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import openai
import pytest

from echostream.domain import TranscribeOptions
from echostream.engine import Capabilities, LocalEngine, Model, Registry
from echostream.errors import EngineError
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from fakes import FakeTranscriber
from web.support import (
    BrokenTranscriber,
    EndlessTranscriber,
    around,
    audio,
    connection,
    error_of,
    head,
    metric,
    open_descriptors,
    serving,
    wait_until,
    wav,
)

TEXT = "we will ship on friday sarah will call the client"
JSON = {
    "text": TEXT,
    "languages": [{"code": "en"}],
    "usage": {"type": "duration", "seconds": 1.0},
}
FILE = ("talk.wav", wav())
PATHS = ["/v1/audio/transcriptions", "/v1/audio/translations"]

SRT = """\
1
00:00:00,000 --> 00:00:01,000
we will ship on friday
sarah will call the client
"""
VTT = """\
WEBVTT

00:00:00.000 --> 00:00:01.000
we will ship on friday
sarah will call the client
"""


# The SDK has marked its own `translations.create` so, without a word of what comes after it.
calls_translations = pytest.mark.filterwarnings("ignore:deprecated$:DeprecationWarning")


@pytest.fixture(scope="module")
def sdk(api: httpx.Client) -> Iterator[openai.OpenAI]:
    with sdk_of(api) as client:
        yield client


def sdk_of(client: httpx.Client) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="unused", max_retries=0)


def post(client: httpx.Client, path: str = PATHS[0], **data: Any) -> httpx.Response:
    return client.post(path, files={"file": FILE}, data=data)


@calls_translations
def test_json_through_the_sdk(sdk: openai.OpenAI) -> None:
    assert sdk.audio.transcriptions.create(file=FILE, model="whisper-1").text == TEXT
    assert sdk.audio.translations.create(file=FILE, model="whisper-1").text == TEXT


@calls_translations
@pytest.mark.parametrize(
    ("response_format", "expected"), [("text", TEXT + "\n"), ("srt", SRT), ("vtt", VTT)]
)
def test_text_formats_through_the_sdk(
    sdk: openai.OpenAI, response_format: Any, expected: str
) -> None:
    arguments = {"file": FILE, "model": "whisper-1", "response_format": response_format}
    assert sdk.audio.transcriptions.create(**arguments) == expected
    assert sdk.audio.translations.create(**arguments) == expected


def test_verbose_json_through_the_sdk(sdk: openai.OpenAI) -> None:
    found = sdk.audio.transcriptions.create(
        file=FILE,
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert (found.text, found.language, float(found.duration)) == (TEXT, "en", 1.0)
    assert found.segments is not None
    assert [(one.id, one.seek, one.start, one.end, one.text) for one in found.segments] == [
        (0, 0, 0.0, 0.5, "we will ship on friday"),
        (1, 50, 0.5, 1.0, "sarah will call the client"),
    ]
    assert found.words is not None
    assert [(one.word, one.start, one.end) for one in found.words] == [
        ("we will ship on friday", 0.0, 0.5),
        ("sarah will call the client", 0.5, 1.0),
    ]


@calls_translations
def test_verbose_translation_through_the_sdk(sdk: openai.OpenAI) -> None:
    found = sdk.audio.translations.create(
        file=FILE, model="whisper-1", response_format="verbose_json"
    )
    assert found.text == TEXT
    assert found.segments is not None
    assert len(found.segments) == 2


async def test_the_asynchronous_sdk(api: httpx.Client) -> None:
    async with openai.AsyncOpenAI(base_url=f"{api.base_url}/v1", api_key="unused") as sdk:
        found = await sdk.audio.transcriptions.create(file=FILE, model="whisper-1")
        stream = await sdk.audio.transcriptions.create(file=FILE, model="whisper-1", stream=True)
        kinds = [event.type async for event in stream]
    assert found.text == TEXT
    assert kinds == ["transcript.text.delta", "transcript.text.delta", "transcript.text.done"]


def test_a_stream_through_the_sdk(sdk: openai.OpenAI) -> None:
    with sdk.audio.transcriptions.create(file=FILE, model="whisper-1", stream=True) as stream:
        events = list(stream)
    *deltas, done = events
    assert [event.type for event in deltas] == ["transcript.text.delta"] * 2
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas) == done.text == TEXT


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_as_raw_events(api: httpx.Client, path: str) -> None:
    response = post(api, path, stream="true")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in response.text.split("\n\n")[:-1]]
    assert [set(event) for event in events] == [{"type", "delta"}] * 2 + [{"type", "text"}]
    assert "".join(event.get("delta", "") for event in events) == events[-1]["text"] == TEXT


def test_deltas_come_while_the_engine_works() -> None:
    hold = threading.Event()
    with serving(FakeTranscriber(hold=hold)) as client, sdk_of(client) as sdk:
        stream = sdk.audio.transcriptions.create(file=FILE, model="whisper-1", stream=True)
        with stream:
            first = next(iter(stream))
            assert first.type == "transcript.text.delta"
            assert not hold.is_set()
            hold.set()
            assert [event.type for event in stream][-1] == "transcript.text.done"


@pytest.mark.parametrize("texts", [("",), ("", "hello", "", "again"), (" a ", "b ")])
def test_deltas_join_to_the_text_whatever_the_segments(texts: tuple[str, ...]) -> None:
    with serving(FakeTranscriber(texts=texts)) as client, sdk_of(client) as sdk:
        stream = sdk.audio.transcriptions.create(file=FILE, model="whisper-1", stream=True)
        with stream:
            *deltas, done = list(stream)
    assert done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas) == done.text
    assert done.text.split() == "".join(f"{text} " for text in texts).split()


@pytest.mark.parametrize(("path", "task"), [(PATHS[0], "transcribe"), (PATHS[1], "translate")])
def test_the_shape_of_verbose_json(api: httpx.Client, path: str, task: str) -> None:
    body = post(api, path, response_format="verbose_json").json()
    assert list(body) == ["task", "language", "duration", "text", "segments", "usage"]
    assert body["usage"] == {"type": "duration", "seconds": 1.0}
    assert body["task"] == task
    assert body["segments"][1] == {
        "id": 1,
        "seek": 50,
        "start": 0.5,
        "end": 1.0,
        "text": "sarah will call the client",
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": 0.0,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }


@pytest.mark.parametrize(
    "name",
    ["timestamp_granularities[]", "timestamp_granularities", "timestamp_granularities[0]"],
)
@pytest.mark.parametrize(
    ("granularities", "with_words"),
    [(["word"], True), (["segment"], False), (["word", "segment"], True), ("word", True)],
)
def test_granularities(
    api: httpx.Client,
    name: str,
    granularities: list[str],
    with_words: bool,
) -> None:
    body = post(api, response_format="verbose_json", **{name: granularities}).json()
    assert ("words" in body) == with_words
    assert len(body["segments"]) == 2


def test_words_are_left_out_of_other_formats(api: httpx.Client) -> None:
    body = post(api, **{"timestamp_granularities[]": ["word"]}).json()
    assert body == JSON


@pytest.mark.parametrize(
    ("response_format", "media_type"),
    [
        ("json", "application/json"),
        ("text", "text/plain; charset=utf-8"),
        ("srt", "text/plain; charset=utf-8"),
        ("vtt", "text/vtt; charset=utf-8"),
        ("verbose_json", "application/json"),
    ],
)
def test_media_types(api: httpx.Client, response_format: str, media_type: str) -> None:
    response = post(api, response_format=response_format)
    assert response.headers["content-type"] == media_type


@calls_translations
def test_what_the_sdk_sends_reaches_the_engine(
    sdk: openai.OpenAI, transcriber: FakeTranscriber
) -> None:
    arguments: dict[str, Any] = {
        "file": FILE,
        "model": "gpt-4o-mini-transcribe",
        "prompt": "Größe",
        "temperature": 0.5,
    }
    sdk.audio.transcriptions.create(**arguments, language="de")
    expected = TranscribeOptions(language="de", prompt="Größe", temperature=0.5)
    assert transcriber.calls[-1] == expected
    sdk.audio.translations.create(**arguments)
    expected = TranscribeOptions(task="translate", prompt="Größe", temperature=0.5)
    assert transcriber.calls[-1] == expected


def test_fields_of_newer_sdks(sdk: openai.OpenAI, transcriber: FakeTranscriber) -> None:
    found = sdk.audio.transcriptions.create(
        file=FILE,
        model="gpt-transcribe",
        chunking_strategy="auto",
        keywords=["Anouk", "Kubernetes, Inc."],
        languages=["de", "en"],
    )
    assert found.text == TEXT
    assert found.languages is not None
    assert [each.code for each in found.languages] == ["en"]
    assert found.usage is not None
    assert (found.usage.type, found.usage.seconds) == ("duration", 1.0)
    options = transcriber.calls[-1]
    assert options.hotwords == ("Anouk", "Kubernetes, Inc.")
    assert (options.language, options.expected_language) == (None, "de")
    sdk.audio.transcriptions.create(file=FILE, model="gpt-transcribe", languages=["de"])
    assert transcriber.calls[-1].language == "de"


def test_logprobs(sdk: openai.OpenAI) -> None:
    found = sdk.audio.transcriptions.create(file=FILE, model="whisper-1", include=["logprobs"])
    assert found.logprobs is not None
    assert "".join(each.token or "" for each in found.logprobs) == TEXT
    assert bytes(int(each) for each in found.logprobs[1].bytes or ()) == (
        (found.logprobs[1].token or "").encode()
    )
    assert all((each.logprob or 0) <= 0 for each in found.logprobs)
    with sdk.audio.transcriptions.create(
        file=FILE, model="whisper-1", include=["logprobs"], stream=True
    ) as stream:
        *deltas, done = list(stream)
    assert all(event.logprobs for event in deltas)
    assert "".join(each.token or "" for each in done.logprobs or ()) == done.text


def test_a_model_by_its_name(sdk: openai.OpenAI) -> None:
    assert sdk.models.retrieve("fake-1").owned_by == "fake"
    with pytest.raises(openai.NotFoundError) as missing:
        sdk.models.retrieve("org/other")
    assert missing.value.code == "model_not_found"


@pytest.mark.parametrize("named", ["whisper-1", "gpt-4o-transcribe", "gpt-transcribe-2027-01-01"])
def test_names_of_openais_models_mean_the_default(
    sdk: openai.OpenAI, transcriber: FakeTranscriber, named: str
) -> None:
    sdk.audio.transcriptions.create(file=FILE, model=named)
    assert transcriber.calls[-1].model is None


@pytest.mark.parametrize("named", ["whisper-large-v3", "Systran/faster-whisper-small"])
def test_a_model_that_is_not_offered(sdk: openai.OpenAI, named: str) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="may not be asked for here"):
        sdk.audio.transcriptions.create(file=FILE, model=named)


def test_a_prompt_of_any_length(sdk: openai.OpenAI, transcriber: FakeTranscriber) -> None:
    """As at OpenAI's, whose models read the end of it."""
    sdk.audio.transcriptions.create(file=FILE, model="whisper-1", prompt="and so on " * 1000)
    assert len(transcriber.calls[-1].prompt or "") == 10_000


def test_the_model_may_be_left_out(api: httpx.Client) -> None:
    assert post(api).status_code == 200


def test_models(sdk: openai.OpenAI, api: httpx.Client) -> None:
    models = list(sdk.models.list())
    assert [(model.id, model.object, model.owned_by) for model in models] == [
        ("fake-1", "model", "fake")
    ]
    assert set(api.get("/v1/models").json()) == {"object", "data"}


def two_models(settings: Settings) -> Pipeline:
    """`base`, and `small.en`, which knows English only."""
    able = Capabilities(languages=frozenset({"en"}), translation=False)
    small = FakeTranscriber(("hello",), model="small.en", capabilities=able)
    registry = Registry(
        Model("base", lambda: FakeTranscriber(model="base"), lambda: 0),
        [Model("small.en", lambda: small, lambda: 0)],
    )
    return Pipeline(settings, LocalEngine(settings, registry), None)


def test_models_are_chosen_by_their_names() -> None:
    with serving(make_pipeline=two_models) as client, sdk_of(client) as sdk:

        def text_of(name: str, **options: Any) -> str:
            return sdk.audio.transcriptions.create(file=FILE, model=name, **options).text

        base, small = client.get("/v1/models").json()["data"]
        assert (base["id"], base["owned_by"], base["loaded"]) == ("base", "fake", True)
        assert base["capabilities"] == {
            "languages": None,
            "translation": True,
            "word_times": True,
            "streaming": True,
        }
        assert (small["id"], small["owned_by"]) == ("small.en", "whisper")
        assert (small["loaded"], small["capabilities"]) == (False, None)
        assert text_of("small.en") == "hello"
        for name in ("base", "whisper-1", "gpt-4o-transcribe"):
            assert text_of(name) == TEXT
        small = client.get("/v1/models/small.en").json()
        assert small["loaded"]
        assert small["capabilities"]["languages"] == ["en"]
        for name in ("base", "small.en"):
            assert metric(client, "echostream_model_loaded", model=name) == 1


def test_what_a_model_does_not_offer_is_refused_by_name() -> None:
    with serving(make_pipeline=two_models) as client:
        for asked, said in (
            ({"model": "large-v3"}, "'large-v3' may not be asked for here, but base, small.en"),
            ({"model": "small.en", "language": "de"}, "'small.en' knows English only"),
        ):
            refused = post(client, **asked)
            assert error_of(refused) == (422, "invalid_request")
            assert said in refused.text
        assert "cannot translate" in post(client, PATHS[1], model="small.en").text


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"response_format": "xml"}, "response_format"),
        ({"temperature": "2"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"language": "klingon!"}, "language"),
        ({"stream": "perhaps"}, "stream"),
        ({"timestamp_granularities[]": "letter"}, "timestamp_granularities"),
        ({"include[]": "usage"}, "include"),
        ({"languages[1]": "klingon!"}, "languages"),
        ({"chunking_strategy": '{"type": "server_vad"}'}, "chunking_strategy"),
        ({"vad_filter": "true"}, "vad_filter"),
        ({"model": "x" * 201}, "model"),
        ({"temperature": ["0", "1"]}, "temperature"),
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_a_bad_field_is_named(
    api: httpx.Client, path: str, data: dict[str, str], field: str
) -> None:
    response = post(api, path, **data)
    assert error_of(response) == (422, "invalid_request")
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert response.json()["error"]["message"].startswith(field)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"json": {"file": "talk.wav"}},
        {"data": {"model": "whisper-1"}},
        {"data": {"file": "talk.wav"}},
        {"files": audio()},
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_no_file(api: httpx.Client, path: str, arguments: dict[str, Any]) -> None:
    assert error_of(api.post(path, **arguments)) == (422, "invalid_request")


@pytest.mark.parametrize("stream", [True, False])
def test_bad_audio_through_the_sdk(sdk: openai.OpenAI, stream: bool) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        sdk.audio.transcriptions.create(file=("a.wav", b"no"), model="whisper-1", stream=stream)
    assert raised.value.code == "invalid_audio"
    assert raised.value.param is None
    assert raised.value.type == "invalid_request_error"


def test_an_unknown_path_through_the_sdk(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        sdk.fine_tuning.jobs.list()
    assert raised.value.code == "not_found"


@pytest.mark.parametrize("stream", [True, False])
def test_a_broken_engine_through_the_sdk(stream: bool) -> None:
    engine = BrokenTranscriber(EngineError("the engine broke"))
    with (
        serving(make_pipeline=around(engine)) as client,
        sdk_of(client) as sdk,
        pytest.raises(openai.InternalServerError) as raised,
    ):
        sdk.audio.transcriptions.create(file=FILE, model="whisper-1", stream=stream)
    assert (raised.value.code, raised.value.type) == ("process_failed", "server_error")


def test_an_engine_that_breaks_within_a_stream() -> None:
    engine = BrokenTranscriber(EngineError("the engine broke"), after_text=True)
    with serving(make_pipeline=around(engine)) as client, sdk_of(client) as sdk:
        stream = sdk.audio.transcriptions.create(file=FILE, model="whisper-1", stream=True)
        with stream:
            assert next(iter(stream)).type == "transcript.text.delta"
            with pytest.raises(openai.APIError, match="the engine broke"):
                list(stream)
        assert metric(client, "echostream_errors_total", code="process_failed") == 1


def test_an_unforeseen_fault_within_a_stream_tells_nothing() -> None:
    engine = BrokenTranscriber(RuntimeError("secret"), after_text=True)
    with serving(make_pipeline=around(engine)) as client:
        response = post(client, stream="true")
        assert error_event(response) == {
            "message": "the server could not process this request",
            "type": "server_error",
            "param": None,
            "code": "process_failed",
        }
        assert "secret" not in response.text
        assert metric(client, "echostream_errors_total", code="process_failed") == 1


def error_event(response: httpx.Response) -> dict[str, Any]:
    """The error that a stream ends with."""
    last = response.text.split("\n\n")[-2]
    error: dict[str, Any] = json.loads(last.removeprefix("data: "))["error"]
    return error


def test_leaving_a_stream_stops_the_engine_and_frees_its_file() -> None:
    engine = EndlessTranscriber()
    with serving(make_pipeline=around(engine), worker_concurrency=1) as client:
        post(client, stream="x")  # so that all threads and pipes of the server are there
        before = open_descriptors()
        with client.stream("POST", PATHS[0], files={"file": FILE}, data={"stream": "1"}) as stream:
            lines = stream.iter_lines()
            assert json.loads(next(lines).removeprefix("data: "))["delta"] == "and so on"
        assert engine.stopped.wait(20)
        wait_until(lambda: open_descriptors() <= before, "its descriptors are closed")


def test_leaving_before_the_first_text_stops_the_engine() -> None:
    hold = threading.Event()
    transcriber = FakeTranscriber(texts=("", "", "", ""), hold=hold)
    with serving(transcriber) as client:
        body = httpx.Request("POST", "http://x", files={"file": FILE}, data={"stream": "1"})
        content = b"".join(body.stream)  # type: ignore[arg-type]
        with connection(str(client.base_url)) as stream:
            about = (
                f"Content-Type: {body.headers['content-type']}",
                f"Content-Length: {len(content)}",
            )
            stream.sendall(head(f"POST {PATHS[0]} HTTP/1.1", *about) + content)
            assert transcriber.started.wait(20)
        labels = {"route": PATHS[0], "status": "499"}
        wait_until(
            lambda: metric(client, "echostream_requests_total", **labels) == 1, "it is noticed"
        )
        hold.set()
        assert transcriber.stopped.wait(20)
        assert metric(client, "echostream_audio_seconds_total") == 0
