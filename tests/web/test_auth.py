"""The bearer token and CORS."""

from collections.abc import Callable, Iterator

import httpx2 as httpx
import openai
import pytest

from web.support import audio, connection, error_of, head, metric, read_answer, serving

TOKEN = "tr0ub4dor and three"

CLOSED = [
    ("POST", "/upload-audio"),
    ("POST", "/api/finalize"),
    ("POST", "/v1/audio/transcriptions"),
    ("POST", "/v1/audio/translations"),
    ("GET", "/v1/models"),
    ("GET", "/job/job_1"),
    ("DELETE", "/job/job_1"),
    ("GET", "/job/job_1/transcript.txt"),
    ("GET", "/jobs"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
]


@pytest.fixture(scope="module")
def closed() -> Iterator[httpx.Client]:
    """A client, without a token, of a server that wants one."""
    with serving(api_bearer_token=TOKEN, cors_origins="https://app.example, null") as client:
        yield client


@pytest.mark.parametrize(("method", "path"), CLOSED)
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Basic {TOKEN}",
        TOKEN,
        f"Token {TOKEN}",
        f"Bearer Bearer {TOKEN}",
    ],
)
def test_without_the_right_token(
    closed: httpx.Client, method: str, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    response = closed.request(method, path, headers=headers)
    assert error_of(response) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), CLOSED)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_with_the_right_token(closed: httpx.Client, method: str, path: str, scheme: str) -> None:
    response = closed.request(method, path, headers={"authorization": f"{scheme} {TOKEN}"})
    assert response.status_code != 401


def test_an_upload_with_the_token_is_transcribed(closed: httpx.Client) -> None:
    headers = {"authorization": f"Bearer   {TOKEN}"}
    response = closed.post("/upload-audio", files=audio(), headers=headers)
    assert response.json()["success"] is True


@pytest.mark.parametrize("sent", [b"Bearer \xff\xfe", "Bearer пароль".encode(), b"Bearer \xc3"])
def test_a_header_that_is_not_ascii(closed: httpx.Client, sent: bytes) -> None:
    response = closed.get("/v1/models", headers={b"authorization": sent})
    assert error_of(response) == (401, "unauthorized")


def test_health_and_the_description_are_open(closed: httpx.Client) -> None:
    assert closed.get("/health").json() == {"status": "ok"}
    assert closed.get("/openapi.json").status_code == 200


DESCRIPTION = ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect")


def test_the_description_can_be_closed() -> None:
    with serving() as client:
        assert [client.get(path).status_code for path in DESCRIPTION] == [200] * 4
    with serving(api_docs=False) as client:
        assert [error_of(client.get(path)) for path in DESCRIPTION] == [(404, "not_found")] * 4
        assert client.get("/v1/models").status_code == 200


def test_refused_before_the_body_is_read(closed: httpx.Client) -> None:
    with connection(str(closed.base_url)) as stream:
        stream.sendall(head("POST /upload-audio HTTP/1.1", "Content-Length: 400000000"))
        assert read_answer(stream).status == 401


def test_refusals_are_counted(closed: httpx.Client) -> None:
    authorized = httpx.Client(
        base_url=closed.base_url, headers={"authorization": f"Bearer {TOKEN}"}
    )
    with authorized:
        before = metric(authorized, "echostream_errors_total", code="unauthorized")
        closed.get("/v1/models")
        after = metric(authorized, "echostream_errors_total", code="unauthorized")
    assert after == before + 1


def test_the_openai_sdk_raises_its_own_error(closed: httpx.Client) -> None:
    with (
        openai.OpenAI(base_url=f"{closed.base_url}/v1", api_key="wrong", max_retries=0) as sdk,
        pytest.raises(openai.AuthenticationError) as raised,
    ):
        sdk.models.list()
    assert raised.value.code == "unauthorized"
    assert raised.value.type == "authentication_error"


def test_the_openai_sdk_sends_the_token_as_its_key(closed: httpx.Client) -> None:
    with openai.OpenAI(base_url=f"{closed.base_url}/v1", api_key=TOKEN, max_retries=0) as sdk:
        assert [model.id for model in sdk.models.list()] == ["fake-1"]


@pytest.mark.parametrize("authorization", [None, "Bearer anything", "Basic YTpi", "nonsense"])
def test_without_a_token_set_everything_is_open(
    api: httpx.Client, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    response = api.post("/upload-audio", files=audio(), headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize("origin", ["https://app.example", "null"])
def test_a_preflight_from_an_allowed_origin(closed: httpx.Client, origin: str) -> None:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, idempotency-key",
    }
    response = closed.options("/upload-audio", headers=headers)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == origin
    assert "POST" in response.headers["access-control-allow-methods"]


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/nowhere"])
def test_an_answer_to_an_allowed_origin_can_be_read(closed: httpx.Client, path: str) -> None:
    response = closed.get(path, headers={"origin": "https://app.example"})
    assert response.headers["access-control-allow-origin"] == "https://app.example"


def test_another_origin_is_not_allowed(closed: httpx.Client) -> None:
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    assert closed.options("/upload-audio", headers=headers).status_code == 400
    answer = closed.get("/health", headers=headers)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["get", "options"])
def test_no_origin_is_allowed_unless_set(api: httpx.Client, method: str) -> None:
    ask: Callable[..., httpx.Response] = getattr(api, method)
    headers = {"origin": "https://app.example", "access-control-request-method": "GET"}
    response = ask("/health", headers=headers)
    assert not [name for name in response.headers if name.startswith("access-control-")]
