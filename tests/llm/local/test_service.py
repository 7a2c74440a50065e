"""A server with a language model of its own: real llama.cpp behind several API processes."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from llm.local.tiny_gguf import write_tiny
from web.process import (
    ServerProcess,
    assert_they_end,
    command_of,
    descendants_of,
    server_process,
    watched,
)
from web.support import wait_until

TRANSCRIPT = "Ann sends the report by Friday. We agreed to ship in May."
ENDLESS = " ".join([TRANSCRIPT] * 100)
CALLS = 6
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with server_process(
        WEB_CONCURRENCY="2",
        INSIGHTS_PROVIDER="local",
        LOCAL_LLM_MODEL=str(write_tiny(tmp_path / "tiny.gguf")),
        CACHE_TTL_S="0",
    ) as server:
        yield server


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=120) as client:
        yield client


def models_of(server: ServerProcess) -> list[int]:
    return [pid for pid in descendants_of(server.popen.pid) if "echostream llm" in command_of(pid)]


def meta_of(client: httpx.Client) -> dict[str, Any]:
    response = client.post("/insights", json={"transcript": TRANSCRIPT})
    assert response.status_code == 200, response.text
    meta: dict[str, Any] = response.json()["insights"]["details"]["meta"]
    return meta


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def test_one_process_serves_all_and_is_back_after_a_crash(
    server: ServerProcess, client: httpx.Client
) -> None:
    with ThreadPoolExecutor(CALLS) as pool:
        metas = list(pool.map(meta_of, [client] * CALLS))
    assert {(meta["provider"], meta["model"], meta["degraded_reason"]) for meta in metas} == {
        ("local", "tiny", None)
    }
    assert all(meta["tokens"]["written"] > 50 for meta in metas)
    (model,) = models_of(server)
    with watched([model]) as ending:
        os.kill(model, signal.SIGKILL)
        assert_they_end(ending)
    assert meta_of(client)["provider"] == "local"
    wait_until(lambda: client.get("/ready").status_code == 200, "the engine is loaded")
    assert client.get("/ready").json()["checks"]["insights"] == {"ok": True, "detail": "local tiny"}
    counted = 'echostream_insights_total{degraded="false",process="'
    assert counted in client.get("/metrics").text
    (again,) = models_of(server)
    with watched([again]) as ending:
        server.signal(signal.SIGTERM)
        assert server.exit_status() == 0
        assert_they_end(ending)


def test_an_answer_streams_and_can_be_left(client: httpx.Client) -> None:
    segments = [{"id": 0, "text": TRANSCRIPT}]
    asked = {"question": "When do we ship?", "segments": segments, "stream": True}
    with client.stream("POST", "/ask", json=asked) as response:
        lines = response.iter_lines()
        assert [next(lines) for _ in range(9)][::3] == ["event: delta"] * 3
    assert meta_of(client)["provider"] == "local"


def test_the_model_rests_when_its_client_has_left(
    server: ServerProcess, client: httpx.Client
) -> None:
    meta_of(client)
    (model,) = models_of(server)
    used_s = cpu_s(model)
    with httpx.Client(base_url=server.url, timeout=0.5) as hasty, pytest.raises(httpx.ReadTimeout):
        hasty.post("/insights", json={"transcript": ENDLESS})
    wait_until(lambda: cpu_s(model) > used_s, "it has begun")
    assert meta_of(client)["provider"] == "local"
