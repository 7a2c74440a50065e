"""Each error code over HTTP, and that an error tells nothing of the machine it happened on."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest

from echostream.engine import LocalEngine, Registry, Transcriber
from echostream.errors import EngineError, InvalidRequest, ModelUnavailable
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from fakes import FakeInsights, FakeTranscriber
from web.support import (
    BrokenTranscriber,
    around,
    assert_nothing_private,
    audio,
    connection,
    error_of,
    head,
    metric,
    read_answer,
    secret_fault,
    serving,
    wav,
)

Site = Callable[[str], str]
MIB = 1024 * 1024


def post(client: httpx.Client, path: str, **data: str) -> httpx.Response:
    field = "file" if path.startswith("/v1/") else "audio"
    return client.post(path, files={field: ("talk.wav", wav())}, data=data)


@pytest.fixture(scope="module")
def strict() -> Iterator[httpx.Client]:
    """A client of a server with small limits, which may not fetch from loopback."""
    with serving(max_upload_mb=1, max_audio_seconds=2) as client:
        yield client


AUDIO_PATHS = [
    "/upload-audio",
    "/api/finalize",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"json": {}},
        {"json": {"audioUrl": None}},
        {"json": {"audioUrl": ""}},
        {"json": {"language": "en"}},
        {"json": {"useQueue": True}},
        {"data": {"language": "en"}},
        {"data": {"audio": ""}},
        {"files": {"file": ("talk.wav", b"RIFF")}},
        {"content": b" \n "},
    ],
)
def test_missing_audio(api: httpx.Client, arguments: dict[str, Any]) -> None:
    response = api.post("/upload-audio", **arguments)
    assert error_of(response) == (400, "missing_audioUrl_or_audio")


@pytest.mark.parametrize("error", [EngineError("the engine broke"), secret_fault()])
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/upload-audio", "process_failed"),
        ("/api/finalize", "finalize_failed"),
        ("/v1/audio/transcriptions", "process_failed"),
        ("/v1/audio/translations", "process_failed"),
    ],
)
def test_a_broken_engine(error: Exception, path: str, code: str) -> None:
    with serving(make_pipeline=around(BrokenTranscriber(error))) as client:
        assert error_of(post(client, path)) == (500, code)
        labels = {"method": "POST", "route": path, "status": "500"}
        assert metric(client, "echostream_requests_total", **labels) == 1
        assert metric(client, "echostream_errors_total", code=code) == 1


def test_insights_that_break_in_finalize() -> None:
    with serving(insights=FakeInsights(error=secret_fault())) as client:
        response = client.post("/api/finalize", json={"transcript": "Hello."})
        assert error_of(response) == (500, "finalize_failed")


def test_an_allowed_origin_can_read_of_a_crash() -> None:
    origin = "https://app.example"
    with serving(
        make_pipeline=around(BrokenTranscriber(secret_fault())), cors_origins=origin
    ) as client:
        response = client.post("/upload-audio", files=audio(), headers={"origin": origin})
    assert error_of(response) == (500, "process_failed")
    assert response.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize(
    "arguments",
    [
        {"json": {"audioUrl": "https://example.com/talk.mp3", "useQueue": True}},
        {"files": audio(), "data": {"useQueue": "true"}},
        {"data": {"audioUrl": "https://example.com/talk.mp3", "useQueue": "true"}},
    ],
)
def test_no_queue(api: httpx.Client, arguments: dict[str, Any]) -> None:
    response = api.post("/upload-audio", **arguments)
    assert error_of(response) == (503, "queue_unavailable")


@pytest.mark.parametrize("path", AUDIO_PATHS)
def test_what_the_engine_cannot_do_is_an_invalid_request(path: str) -> None:
    refused = FakeTranscriber(error=InvalidRequest("English only"))
    with serving(refused) as client:
        assert error_of(post(client, path, language="fr")) == (422, "invalid_request")


@pytest.mark.parametrize("path", AUDIO_PATHS)
def test_the_model_cannot_be_loaded(path: str) -> None:
    def load() -> Transcriber:
        raise ModelUnavailable("the Whisper model 'base' cannot be loaded")

    def without_model(settings: Settings) -> Pipeline:
        return Pipeline(settings, LocalEngine(settings, Registry.only(load)), FakeInsights())

    with serving(make_pipeline=without_model) as client:
        assert error_of(post(client, path)) == (503, "model_unavailable")
        assert error_of(client.get("/v1/models")) == (503, "model_unavailable")


@pytest.mark.parametrize("path", AUDIO_PATHS)
def test_audio_of_too_many_seconds(strict: httpx.Client, path: str) -> None:
    field = "file" if path.startswith("/v1/") else "audio"
    response = strict.post(path, files={field: ("talk.wav", wav(3))})
    assert error_of(response) == (413, "audio_too_long")


def test_too_many_bytes_declared(strict: httpx.Client) -> None:
    with connection(str(strict.base_url)) as stream:
        declared = ("Content-Type: multipart/form-data; boundary=XX", f"Content-Length: {20 * MIB}")
        stream.sendall(head("POST /upload-audio HTTP/1.1", *declared))
        answer = read_answer(stream)
    assert (answer.status, json.loads(answer.body)["error"]) == (413, "audio_too_large")


@pytest.mark.parametrize("path", AUDIO_PATHS)
@pytest.mark.parametrize("size_bytes", [MIB + 1, 3 * MIB])
def test_too_many_bytes(strict: httpx.Client, path: str, size_bytes: int) -> None:
    field = "file" if path.startswith("/v1/") else "audio"
    response = strict.post(path, files={field: ("talk.wav", bytes(size_bytes))})
    assert error_of(response) == (413, "audio_too_large")


@pytest.mark.parametrize("path", AUDIO_PATHS)
def test_too_many_bytes_that_were_not_declared(strict: httpx.Client, path: str) -> None:
    field = "file" if path.startswith("/v1/") else "audio"
    form = httpx.Request("POST", "http://x", files={field: ("talk.wav", bytes(3 * MIB))})
    body = b"".join(form.stream)  # type: ignore[arg-type]
    pieces = (body[at : at + 65536] for at in range(0, len(body), 65536))
    headers = {"content-type": form.headers["content-type"]}
    response = strict.post(path, content=pieces, headers=headers)
    assert error_of(response) == (413, "audio_too_large")


def test_as_many_bytes_as_are_allowed(strict: httpx.Client) -> None:
    content = wav(1)
    response = strict.post("/upload-audio", files=audio(content + bytes(MIB - len(content))))
    assert response.status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/talk.wav",
        "http://[::1]/talk.wav",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "ftp://example.com/talk.wav",
        "talk.wav",
        "//example.com/talk.wav",
        "http://",
        "http://user:pass@example.com/",
        "javascript:alert(1)",
        "http://exa mple.com/",
        "h\u0000ttp://example.com/",
        " ",
    ],
)
@pytest.mark.parametrize("form", ["json", "data"])
def test_a_url_that_is_not_allowed(strict: httpx.Client, url: str, form: str) -> None:
    response = strict.post("/upload-audio", **{form: {"audioUrl": url}})
    assert error_of(response) == (400, "url_not_allowed")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/missing.wav", (502, "url_fetch_failed")),
        ("/broken", (502, "url_fetch_failed")),
        ("/page", (422, "invalid_audio")),
        ("/empty.wav", (422, "invalid_audio")),
    ],
)
def test_a_url_that_gives_no_audio(
    api: httpx.Client, site: Site, path: str, expected: tuple[int, str]
) -> None:
    response = api.post("/upload-audio", json={"audioUrl": site(path)})
    assert error_of(response) == expected


def test_a_url_that_nobody_answers(api: httpx.Client, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}/talk.wav"
    response = api.post("/upload-audio", json={"audioUrl": url})
    assert error_of(response) == (502, "url_fetch_failed")


def test_a_url_of_too_many_bytes(site: Site) -> None:
    with serving(max_upload_mb=1, allow_private_urls=True) as client:
        response = client.post("/upload-audio", json={"audioUrl": site("/big.wav")})
    assert error_of(response) == (413, "audio_too_large")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nowhere", (404, "not_found")),
        ("POST", "/upload-audio/more", (404, "not_found")),
        ("GET", "/v1/nowhere", (404, "not_found")),
        ("GET", "/upload-audio", (405, "method_not_allowed")),
        ("PUT", "/api/finalize", (405, "method_not_allowed")),
        ("DELETE", "/v1/audio/transcriptions", (405, "method_not_allowed")),
        ("POST", "/health", (405, "method_not_allowed")),
    ],
)
def test_nothing_there(
    api: httpx.Client, method: str, path: str, expected: tuple[int, str]
) -> None:
    response = api.request(method, path)
    assert error_of(response) == expected
    assert ("allow" in response.headers) == (expected[0] == 405)


def test_insights_that_break_after_a_transcription() -> None:
    with serving(insights=FakeInsights(error=secret_fault())) as client:
        assert error_of(post(client, "/upload-audio")) == (500, "process_failed")


def test_a_crash_does_not_end_the_server() -> None:
    faults = [secret_fault()]

    def fragile(settings: Settings) -> Pipeline:
        def load() -> Transcriber:
            if faults:
                raise faults.pop()
            return FakeTranscriber()

        return Pipeline(settings, LocalEngine(settings, Registry.only(load)), FakeInsights())

    with serving(make_pipeline=fragile) as client:
        assert error_of(post(client, "/upload-audio")) == (500, "process_failed")
        assert post(client, "/upload-audio").status_code == 200


def test_the_failure_that_ready_tells_of_is_not_private() -> None:
    def load() -> Transcriber:
        raise secret_fault()

    def failing(settings: Settings) -> Pipeline:
        return Pipeline(settings, LocalEngine(settings, Registry.only(load)), FakeInsights())

    with serving(make_pipeline=failing) as client:
        for _ in range(3):
            response = client.get("/ready")
            assert response.status_code == 503
            assert_nothing_private(response.text)
