"""The engine killed while all that can use it is at work: nothing is lost but time."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest

from conftest import TINY_WHISPER, sample_pcm, sample_text, word_error_rate, write_wav
from echostream.live_client import LiveClient
from jobs.api_support import ended, queued
from redis_server import RedisServer
from web.process import (
    ServerProcess,
    assert_they_end,
    engine_of,
    server_process,
    watched,
)
from web.support import audio, wait_until

SECOND = 2 * 16_000
TIMES = 4
WELL_UNDER_WAY = 15
"""Percent; the engine is at work from 10 on."""


@pytest.fixture(params=["2"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    with (
        RedisServer() as redis,
        server_process(
            ASR_ENGINE="whisper",
            WHISPER_MODEL=str(TINY_WHISPER),
            WEB_CONCURRENCY=request.param,
            WORKER_CONCURRENCY="4",
            USE_QUEUE="true",
            RUN_WORKER="true",
            REDIS_URL=redis.url,
            STORAGE_URL=f"file://{tmp_path}/data",
            CACHE_TTL_S="0",
        ) as server,
    ):
        yield server


async def live(url: str, pcm: bytes, go_on: asyncio.Event) -> dict[str, object]:
    """A session of which the first half comes at once, the rest when it may."""

    async def pieces() -> AsyncIterator[bytes]:
        half = len(pcm) // 2 // SECOND * SECOND
        for at in range(0, len(pcm), SECOND):
            if at == half:
                await go_on.wait()
            yield pcm[at : at + SECOND]

    start = {"ext": "pcm", "sampleRate": 16_000, "insights": False}
    client = LiveClient(url, None, start, on_partial=lambda _: None, on_fault=lambda _: None)
    return await client.run(pieces())


async def test_nothing_is_lost(server: ServerProcess, tmp_path: Path) -> None:
    pcm = sample_pcm()
    sound = write_wav(tmp_path / "long.wav", np.tile(pcm, TIMES)).read_bytes()
    killed = asyncio.Event()
    loop = asyncio.get_running_loop()
    with httpx.Client(base_url=server.url, timeout=120) as client, ThreadPoolExecutor(2) as pool:

        def upload() -> httpx.Response:
            return client.post("/upload-audio", files=audio(sound), data={"insights": "false"})

        sessions = [asyncio.create_task(live(server.url, pcm.tobytes(), killed)) for _ in range(2)]
        fields = {"useQueue": "true", "insights": "false"}

        uploads = [loop.run_in_executor(pool, upload) for _ in range(2)]

        def add() -> str:
            return queued(client.post("/upload-audio", files=audio(sound), data=fields))

        jobs = [await asyncio.to_thread(add) for _ in range(2)]
        await asyncio.to_thread(
            wait_until,
            lambda: at_work(client, jobs),
            "the jobs are at work, and the uploads before them",
        )
        with watched([engine_of(server)]) as ending:
            os.kill(engine_of(server), signal.SIGKILL)
            await asyncio.to_thread(assert_they_end, ending)
        killed.set()
        for response in await asyncio.gather(*uploads):
            assert response.status_code == 200, response.text
            assert complete(response.json()["transcript"], times=TIMES)
        for job_id in jobs:
            job = await asyncio.to_thread(ended, client, job_id)
            assert job["state"] == "completed", job
            assert complete(job["result"]["transcript"], times=TIMES)
        for final in await asyncio.gather(*sessions):
            assert "error" not in final, final
            assert complete(str(final["transcript"]))
        after = await asyncio.to_thread(client.post, "/upload-audio", files=audio(sound))
        assert after.status_code == 200
    server.signal(signal.SIGTERM)
    assert server.exit_status() == 0
    said = [json.loads(line)["event"] for line in server.log]
    assert said.count("engine_ended") == 1
    assert said.count("engine_lost") == 4, "two uploads and two jobs"


async def test_the_final_pass_of_live_audio_is_tried_again(server: ServerProcess) -> None:
    pcm = np.tile(sample_pcm(), TIMES).tobytes()
    is_killed = False

    def kill(_progress: dict[str, object]) -> None:
        nonlocal is_killed
        if not is_killed:
            is_killed = True
            os.kill(engine_of(server), signal.SIGKILL)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(pcm), SECOND):
            yield pcm[at : at + SECOND]

    client = LiveClient(
        server.url,
        None,
        {"ext": "pcm", "sampleRate": 16_000, "insights": False},
        on_partial=lambda _: None,
        on_fault=lambda _: None,
        on_progress=kill,
    )
    final = await client.run(pieces())
    assert is_killed
    assert "error" not in final
    assert complete(str(final["liveTranscript"]), times=TIMES)
    assert complete(str(final["transcript"]), times=TIMES)
    assert final["warnings"] == []


def at_work(client: httpx.Client, jobs: list[str]) -> bool:
    states = [client.get(f"/job/{job_id}").json() for job_id in jobs]
    return all(state.get("progress", 0) >= WELL_UNDER_WAY for state in states)


def complete(text: str, times: int = 1) -> bool:
    return word_error_rate(" ".join([sample_text()] * times), text) < 0.2
