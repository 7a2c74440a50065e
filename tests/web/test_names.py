"""Tokens with names at a running server: who gets in, whose live sessions they are, and what
happens when a token is revoked."""

import asyncio
import json
import logging
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import socketio
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from conftest import running
from echostream.domain import TranscribeOptions
from echostream.engine import LivePlace, LocalEngine, Registry
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.web.peers import Peers
from fakes import FakeInsights, FakeTranscriber, fake_pipeline
from sockets.live import Client, connected
from web.support import WAIT_S, error_of, metric, settings_of, wait_until

ALICE, BOB, FIRST = "alice-0123456789", "bob-9876543210-x", "the first of all"
POLL = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "tokens"
    found.write_text(f"alice:{ALICE}\nbob:{BOB}\n")
    return found


@contextmanager
def serving(file: Path, peers: Peers | None = None, **more: Any) -> Iterator[str]:
    settings = settings_of(api_tokens_file=file, **{"api_bearer_token": FIRST, **more})
    with running(settings, fake_pipeline(FakeTranscriber(), FakeInsights()), peers) as url:
        yield url


@pytest.fixture
def url(file: Path) -> Iterator[str]:
    with serving(file) as found:
        yield found


def rewrite(file: Path, line: str) -> None:
    file.write_text(f"{line}\n")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def status_of(url: str, token: str, path: str = "/v1/models") -> int:
    return httpx.get(url + path, headers=bearer(token)).status_code


def auth(token: object) -> dict[str, Any]:
    return {"auth": {"token": token}}


async def refusal(url: str, token: object, **options: Any) -> str:
    """What a Socket.IO client is told that may not connect."""
    client = socketio.AsyncClient(reconnection=False)
    told: list[Any] = []
    client.on("connect_error", told.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(url, **auth(token), **options)
    await client.shutdown()
    return str(told[0]["message"])


def test_each_token_gets_in(url: str) -> None:
    assert [status_of(url, token) for token in (ALICE, BOB, FIRST)] == [200] * 3
    wrong = ("x", "alice", ALICE[:-1], f"alice:{ALICE}")
    assert [status_of(url, token) for token in wrong] == [401] * 4


@pytest.mark.parametrize("token", ["wrong", "", None, 7, ["x"], {"token": ALICE}])
async def test_a_wrong_token_at_a_socket(url: str, token: object) -> None:
    assert await refusal(url, token) == "unauthorized"


def test_half_a_character_is_refused_without_a_trace(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As an escape in JSON, which no client library would send."""
    with httpx.Client(base_url=url) as client:
        path = f"{POLL}&sid={json.loads(client.get(POLL).text[1:])['sid']}"
        assert client.post(path, content='40{"token":"\\ud800"}').status_code == 400
    [line] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.exc_info is None


# --- live sessions --------------------------------------------------------------------------------


async def test_two_names_may_use_the_same_audio_id(url: str) -> None:
    async with connected(url, **auth(ALICE)) as alice, connected(url, **auth(BOB)) as bob:
        assert (await alice.start(audioId="stand-up"))["ok"]
        assert (await bob.start(audioId="stand-up"))["ok"]
        async with connected(url, **auth(ALICE)) as again:
            assert (await again.start(audioId="stand-up"))["error"] == "audio_id_taken"


async def assert_only_alice_resumes(here: str, there: str) -> None:
    async with connected(here, **auth(ALICE)) as alice:
        started = await alice.start(audioId="stand-up")
    secret = {"audioId": "stand-up", "resumeSecret": started["resumeSecret"]}
    for token in (BOB, FIRST):
        async with connected(there, **auth(token)) as other:
            assert (await other.start(**secret))["error"] == "resume_failed"
    async with connected(there, **auth(ALICE)) as alice:
        assert (await alice.start(**secret))["resumed"]


async def test_a_live_session_is_resumed_by_its_own_name(url: str) -> None:
    await assert_only_alice_resumes(url, url)


async def test_also_from_another_process(file: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(file, Peers(Path(folder), 0)) as here,
        serving(file, Peers(Path(folder), 1)) as there,
    ):
        await assert_only_alice_resumes(here, there)


# --- revoked tokens -------------------------------------------------------------------------------


@asynccontextmanager
async def realtime(url: str, token: str) -> AsyncIterator[Any]:
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?intent=transcription"
    async with connect(address, additional_headers=bearer(token)) as socket:
        await socket.recv()
        yield socket


async def ended(client: Client) -> None:
    async with asyncio.timeout(WAIT_S):
        await client.gone.wait()


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_the_sockets_of_a_revoked_token_end(url: str, file: Path, transport: str) -> None:
    transports = {"transports": [transport]}
    async with (
        connected(url, **auth(ALICE), **transports) as alice,
        connected(url, **auth(BOB), **transports) as bob,
        realtime(url, ALICE) as of_alice,
        realtime(url, BOB) as of_bob,
    ):
        await alice.start()
        rewrite(file, f"bob:{BOB}")
        await ended(alice)
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(WAIT_S):
                await of_alice.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert (await bob.start())["ok"]
        await of_bob.send(json.dumps({"type": "input_audio_buffer.clear"}))
        assert json.loads(await of_bob.recv())["type"] == "input_audio_buffer.cleared"
        assert await refusal(url, ALICE) == "unauthorized"
        with pytest.raises(InvalidStatus):
            async with realtime(url, ALICE):
                pass
    assert [status_of(url, token) for token in (ALICE, BOB, FIRST)] == [401, 200, 200]


class SlowEngine(LocalEngine):
    """Makes room for live audio once the test lets it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, Registry.only(FakeTranscriber, "fake-1"))
        self.asked, self.may_go_on = threading.Event(), threading.Event()

    async def live(self, options: TranscribeOptions) -> LivePlace:
        self.asked.set()
        await asyncio.to_thread(self.may_go_on.wait, WAIT_S)
        return await super().live(options)


async def test_a_token_revoked_during_the_handshake(file: Path) -> None:
    engine = SlowEngine(settings_of())

    def pipeline(settings: Settings) -> Pipeline:
        return Pipeline(settings, engine, FakeInsights())

    with running(settings_of(api_tokens_file=file), pipeline) as url:
        address = f"{url.replace('http', 'ws', 1)}/v1/realtime?intent=transcription"
        opening = asyncio.create_task(_opened(address))
        assert await asyncio.to_thread(engine.asked.wait, WAIT_S)
        rewrite(file, f"bob:{BOB}")
        await asyncio.to_thread(
            wait_until, lambda: status_of(url, ALICE, "/jobs") == 401, "it is revoked"
        )
        engine.may_go_on.set()
        socket = await opening
        async with asyncio.timeout(WAIT_S):
            await socket.wait_closed()
        assert socket.close_code == 1008


async def _opened(address: str) -> ClientConnection:
    return await connect(address, additional_headers=bearer(ALICE))


async def test_a_new_token_of_the_same_name(url: str, file: Path) -> None:
    new = "a new one of alice's"
    async with connected(url, **auth(ALICE)) as alice:
        started = await alice.start()
        rewrite(file, f"alice:{new}")
        await ended(alice)
    async with connected(url, **auth(new)) as alice:
        resumed = await alice.start(
            audioId=started["audioId"], resumeSecret=started["resumeSecret"]
        )
        assert resumed["resumed"]
    assert status_of(url, ALICE) == 401


def test_a_connection_has_one_name(url: str) -> None:
    """Else it would outlive the token that it began with."""
    with httpx.Client(base_url=url) as client:
        path = f"{POLL}&sid={json.loads(client.get(POLL).text[1:])['sid']}"
        for token in (ALICE, BOB):
            client.post(path, content="40" + json.dumps({"token": token}))
        answers = client.get(path).text.split("\x1e")
    assert [answer[:2] for answer in answers] == ["40", "44"]


@pytest.mark.parametrize("fault", ["alice", "alice:secret", f"alice:{ALICE}\nbob:{ALICE}", None])
def test_a_file_that_is_no_longer_in_order_changes_nothing(
    url: str, file: Path, caplog: pytest.LogCaptureFixture, fault: str | None
) -> None:
    if fault is None:
        file.unlink()
    else:
        file.write_text(fault)

    def faults() -> list[str]:
        return [one.getMessage() for one in caplog.records if "tokens_not_read" in one.getMessage()]

    wait_until(lambda: len(faults()) == 1, "the fault is logged")
    assert [status_of(url, token) for token in (ALICE, BOB)] == [200, 200]
    rewrite(file, f"bob:{BOB}")
    wait_until(lambda: status_of(url, ALICE) == 401, "the token is revoked")
    assert len(faults()) == 1
    assert ALICE not in caplog.text


# --- rates, metrics and logs ----------------------------------------------------------------------


def test_each_name_has_a_rate_of_its_own(file: Path) -> None:
    with serving(file, rate_limit=3, web_concurrency=1) as url:
        assert [status_of(url, ALICE) for _ in range(4)] == [200, 200, 200, 429]
        assert status_of(url, BOB) == 200
        assert [status_of(url, "wrong") for _ in range(4)] == [401, 401, 401, 429]
        assert [status_of(url, FIRST) for _ in range(4)] == [200, 200, 200, 429]


async def test_guessing_at_sockets_is_limited_too(file: Path) -> None:
    with serving(file, rate_limit=2, web_concurrency=1) as url:
        told = [await refusal(url, "wrong", transports=["websocket"]) for _ in range(3)]
        assert told == ["unauthorized", "unauthorized", "rate_limited"]
        async with connected(url, **auth(ALICE)):
            pass


async def test_names_and_no_tokens_in_metrics_and_logs(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    processors = structlog.get_config()["processors"]
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, *processors])
    async with connected(url, **auth(ALICE)), realtime(url, BOB):
        with httpx.Client(base_url=url, headers=bearer(FIRST)) as client:
            assert error_of(client.get("/job/job_1")) == (503, "queue_unavailable")
            assert client.get("/health").status_code == 200
            for name in ("alice", "bob", "administrator"):
                assert metric(client, "echostream_token_requests_total", caller=name) >= 1
            text = client.get("/metrics").text
    lines = [record.getMessage() for record in caplog.records]
    [line] = [line for line in lines if "path='/job/job_1'" in line]
    assert "caller='administrator'" in line
    assert any("socket_connected" in line and "caller='alice'" in line for line in lines)
    assert any("realtime_session_started" in line and "caller='bob'" in line for line in lines)
    for token in (ALICE, BOB, FIRST):
        assert token not in caplog.text + text
