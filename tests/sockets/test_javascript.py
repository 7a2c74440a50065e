"""Live audio with the stock JavaScript client: each way to connect, and one process or several.

The servers are real processes, with the tiny Whisper.
"""

import base64
import os
import random
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import SAMPLE, TINY_WHISPER, sample_pcm, sample_text, word_error_rate
from sockets.clients import TRANSPORTS, SocketClients, socket_clients
from web.process import ServerProcess, members_of, private_mb, server_process

TOKEN = "t0ken-of-the-tests"
AUTH = {"auth": {"token": TOKEN}}
PCM = sample_pcm().tobytes()
SECOND = 32_000


@pytest.fixture(scope="module", params=["1", "2", "4"])
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    with server_process(
        API_BEARER_TOKEN=TOKEN,
        ASR_ENGINE="whisper",
        WHISPER_MODEL=str(TINY_WHISPER),
        WEB_CONCURRENCY=request.param,
        MAX_LIVE_SESSIONS="8",
    ) as found:
        yield found


@pytest.fixture(scope="module")
def clients(request: pytest.FixtureRequest) -> Iterator[SocketClients]:
    with socket_clients(request.config) as found:
        yield found


@pytest.fixture(params=TRANSPORTS)
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Those of a client that may connect, in each of the three ways."""
    return {**TRANSPORTS[request.param], **AUTH}


_names = iter(range(1_000_000))


def connect(clients: SocketClients, server: ServerProcess, options: dict[str, Any]) -> str:
    name = f"live-{next(_names)}"
    clients.connect(name, server.url, **options)
    clients.hear(name, "connect")
    return name


def send(clients: SocketClients, name: str, data: bytes, seed: int = 1) -> None:
    """In pieces of odd sizes, each acknowledged."""
    chance, start = random.Random(seed), 0
    while start < len(data):
        size = chance.choice((1, 999, 30_001, 123_457))
        answer = clients.call(name, "audio_chunk", {"buffer": binary(data[start : start + size])})
        assert answer["ok"], answer
        start += size


def binary(content: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(content).decode()}


def test_processes_with_live_sessions_stay_small(
    clients: SocketClients, server: ServerProcess
) -> None:
    """None of them loads a model, not even the one that finds speech. This is the first test of
    each server: what large messages leave is only freed when Python next looks for cycles."""
    for _ in range(8):
        name = connect(clients, server, {**TRANSPORTS["websocket"], **AUTH})
        assert clients.call(name, "start_audio", {"ext": "pcm", "insights": False})["ok"]
        send(clients, name, PCM[:SECOND])
        clients.emit(name, "end_audio", {})
        clients.message(name, "audio_final")
        clients.disconnect(name)
    for number, pid in members_of(server.popen.pid).items():
        assert private_mb(pid) < 60, number


def test_every_event(
    clients: SocketClients, server: ServerProcess, options: dict[str, Any]
) -> None:
    name = connect(clients, server, options)
    clients.emit(name, "start_audio", {"audioId": name, "audioName": "stand-up", "language": "en"})
    started = clients.message(name, "audio_started")
    assert (started["audioId"], started["audioName"]) == (name, "stand-up")
    send(clients, name, SAMPLE.read_bytes())
    clients.emit(name, "end_audio", {})
    final = clients.message(name, "audio_final")
    assert word_error_rate(sample_text(), final["transcript"]) <= 0.1
    partials = clients.messages(name, "partial_transcript")
    assert "".join(partial["text"] for partial in partials) == final["liveTranscript"]
    assert final["insights"]["action_items"]
    clients.call(name, "join_job", {"jobId": "job_unknown"})
    assert clients.message(name, "job_failed")["error"] == "queue_unavailable"
    assert clients.messages(name, "audio_error") == []
    clients.disconnect(name)


def test_clients_that_only_emit(
    clients: SocketClients, server: ServerProcess, options: dict[str, Any]
) -> None:
    """As old clients do: nothing is waited for."""
    name = connect(clients, server, options)
    clients.emit(name, "start_audio", {"audioName": "old", "ext": "pcm", "sampleRate": 16_000})
    for start in range(0, 6 * SECOND, 4801):
        clients.emit(
            name, "audio_chunk", {"buffer": binary(PCM[: 6 * SECOND][start : start + 4801])}
        )
    clients.emit(name, "end_audio", {})
    final = clients.message(name, "audio_final")
    assert final["duration"] == 6.0
    assert final["transcript"].startswith("Thank you for joining")
    clients.disconnect(name)


def test_a_session_is_resumed_by_whichever_process(
    clients: SocketClients, server: ServerProcess, options: dict[str, Any]
) -> None:
    """With two processes, half of the connections come to the one that has not the session."""
    name = connect(clients, server, options)
    started = clients.call(name, "start_audio", {"ext": "pcm", "insights": False})
    step, heard = 10 * SECOND, []
    for start in range(0, len(PCM), step):
        piece = {"buffer": binary(PCM[start : start + step]), "seq": start // step}
        assert clients.call(name, "audio_chunk", piece)["ok"]
        clients.disconnect(name)
        heard += clients.messages(name, "partial_transcript")
        name = connect(clients, server, options)
        last_seq = max((one["seq"] for one in heard if one["text"]), default=0)
        resumed = clients.call(
            name,
            "start_audio",
            {
                "audioId": started["audioId"],
                "resumeSecret": started["resumeSecret"],
                "lastSeq": last_seq,
            },
        )
        assert resumed["resumed"], resumed
        assert resumed["receivedSeq"] == start // step
    assert clients.call(name, "end_audio", {})["ok"]
    final = clients.message(name, "audio_final")
    heard += clients.messages(name, "partial_transcript")
    assert "".join(one["text"] for one in heard) == final["liveTranscript"]
    assert word_error_rate(sample_text(), final["transcript"]) <= 0.1
    clients.disconnect(name)


def test_a_wrong_secret(clients: SocketClients, server: ServerProcess) -> None:
    for secret in ("0-guess", "1-guess", "7-guess", "guess"):
        name = connect(clients, server, AUTH)
        answer = clients.call(name, "start_audio", {"audioId": "x", "resumeSecret": secret})
        assert answer["error"] == "resume_failed", secret
        clients.disconnect(name)


def test_a_wrong_token(
    clients: SocketClients, server: ServerProcess, options: dict[str, Any]
) -> None:
    name = f"wrong-{next(_names)}"
    clients.connect(name, server.url, **{**options, "auth": {"token": "wrong"}})
    assert clients.hear(name, "connect_error")["message"] == "unauthorized"
    clients.disconnect(name)


def test_a_chunk_that_is_too_large(
    clients: SocketClients, server: ServerProcess, options: dict[str, Any]
) -> None:
    name = connect(clients, server, {**options, "reconnection": False})
    clients.call(name, "start_audio", {})
    clients.emit(name, "audio_chunk", {"buffer": binary(bytes(17 * 1024 * 1024))})
    clients.hear(name, "disconnect")
    other = connect(clients, server, options)
    assert clients.call(other, "start_audio", {})["ok"]
    clients.emit(other, "end_audio", {})
    clients.message(other, "audio_final")
    clients.disconnect(other)


def test_a_killed_process_takes_only_its_own_sessions(clients: SocketClients) -> None:
    with server_process(
        ASR_ENGINE="whisper",
        WHISPER_MODEL=str(TINY_WHISPER),
        WEB_CONCURRENCY="2",
        MAX_LIVE_SESSIONS="12",
    ) as server:
        started: dict[str, Any] = {}
        owners: dict[str, str] = {}
        while len(set(owners.values())) < 2 or len(owners) < 6:
            name = connect(clients, server, TRANSPORTS["websocket"])
            owners[name] = clients.hear(name, "connect")["engine"][0]
            started[name] = clients.call(name, "start_audio", {"ext": "pcm", "insights": False})
            send(clients, name, PCM[: 3 * SECOND])
        killed = [name for name, owner in owners.items() if owner == "0"]
        os.kill(members_of(server.popen.pid)[0], signal.SIGKILL)
        for name in owners.keys() - killed:
            send(clients, name, PCM[3 * SECOND : 5 * SECOND])
            clients.emit(name, "end_audio", {})
            final = clients.message(name, "audio_final")
            assert final["transcript"].startswith("Thank you for joining")
            assert final["duration"] == 5.0
            assert clients.heard(name, "disconnect") == []
        for name in killed:
            broken = clients.events.index(clients.hear(name, "disconnect"))
            clients.hear(name, "connect", after=broken)
            resume = {key: started[name][key] for key in ("audioId", "resumeSecret")}
            assert clients.call(name, "start_audio", resume)["error"] == "resume_failed"
            assert clients.call(name, "start_audio", {})["ok"]
            clients.emit(name, "end_audio", {})
        for name in owners:
            clients.disconnect(name)
