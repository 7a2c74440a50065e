"""Clients of `/v1/realtime` that leave, stay for long, or lose the engine or the server."""

import asyncio
import os
import signal
import threading

import httpx2 as httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from conftest import TINY_WHISPER, running, sample_pcm
from echostream.errors import EngineError
from fakes import fake_pipeline
from web.process import engine_of, server_process
from web.realtime.support import (
    COMMITTED,
    COMPLETED,
    FAILED,
    SPEECH,
    WAIT_S,
    WORDS,
    Counter,
    assert_it_goes_on,
    at_24_khz,
    connected,
    serving,
    transcripts,
    until_there_is_room,
)
from web.support import metric, settings_of


async def test_a_client_that_leaves_in_the_middle_leaves_nothing() -> None:
    hold = threading.Event()
    transcriber = Counter(hold=hold)
    async with serving(transcriber, max_live_sessions=1) as url:
        async with connected(url) as client:
            await client.append(SPEECH)
            await client.append(SPEECH)
            await asyncio.to_thread(transcriber.started.wait, WAIT_S)
        await until_there_is_room(url)
        hold.set()
        async with connected(url) as client:
            await assert_it_goes_on(client)


async def test_an_engine_that_fails_costs_one_item() -> None:
    transcriber = Counter(error=EngineError("the speech engine failed"))
    async with serving(transcriber) as url, connected(url) as client:
        await client.update(turn_detection=None)
        await client.append(SPEECH)
        await client.commit()
        failed = await client.hear(FAILED)
        assert failed["error"]["code"] == "process_failed"
        assert failed["error"]["type"] == "server_error"
        assert failed["item_id"] == next(
            event["item_id"] for event in client.events if event["type"] == COMMITTED
        )
        transcriber.error = None
        await client.append(SPEECH)
        await client.commit()
        assert (await client.hear(COMPLETED))["transcript"]


async def test_a_silent_client_is_let_go() -> None:
    async with serving(live_idle_s=0.5) as url, connected(url) as client:
        assert (await client.error())["code"] == "session_expired"
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000


async def test_more_audio_than_allowed_ends_the_session_after_its_text() -> None:
    async with serving(max_audio_seconds=3) as url, connected(url) as client:
        await client.update(turn_detection=None)
        await client.append(SPEECH)
        assert (await client.error())["code"] == "audio_too_long"
        done = await client.hear(COMPLETED)
        assert done["usage"]["seconds"] == 3.0
        with pytest.raises(ConnectionClosed):
            await client.next()


async def test_metrics() -> None:
    async with serving() as url:
        with httpx.Client(base_url=url) as http:
            async with connected(url) as client:
                await assert_it_goes_on(client)
                await client.commit()
                await client.error()
                assert metric(http, "echostream_live_sessions") == 1
            await until_there_is_room(url)
            assert metric(http, "echostream_realtime_items_total", error="") == 1
            code = "input_audio_buffer_commit_empty"
            assert metric(http, "echostream_errors_total", code=code) == 1
            assert metric(http, "echostream_audio_seconds_total", engine="fake") == 4
            assert metric(http, "echostream_live_lag_seconds_count") == 1
            assert metric(http, "echostream_live_sessions_ended_total", error="") == 1


async def test_half_an_hour() -> None:
    """A long call, faster than it was spoken: no text is lost, and no turn."""
    speech = sample_pcm()[: 10 * 16_000]
    pause = np.zeros(5 * 16_000, np.int16)
    turns = 30 * 60 // 15
    turn = at_24_khz(np.concatenate([speech, pause]))
    async with (
        serving() as url,
        connected(url) as client,
        asyncio.TaskGroup() as group,
    ):
        detection = {"type": "server_vad", "silence_duration_ms": 1500}
        await client.update(turn_detection=detection)

        ahead = asyncio.Semaphore(8)

        async def speak() -> None:
            for _ in range(turns):
                await ahead.acquire()
                await client.append(turn)

        group.create_task(speak())
        for _ in range(turns):
            await client.hear(COMPLETED)
            ahead.release()
    texts = transcripts(client.events)
    assert len(texts) == turns
    assert all(text.startswith(" ".join(WORDS[:8])) for text in texts)
    starts = [e["audio_start_ms"] for e in client.events if "audio_start_ms" in e]
    steps = np.diff(starts)
    assert np.all(np.abs(steps - 15_000) < 400)


async def test_a_stopping_server_finishes_what_it_has_heard() -> None:
    server = running(settings_of(), fake_pipeline(Counter()))
    url = await asyncio.to_thread(server.__enter__)
    async with connected(url) as client:
        await client.update(turn_detection=None)
        await client.append(SPEECH)
        await client.update()  # handled after the audio
        stopping = asyncio.create_task(asyncio.to_thread(server.__exit__, None, None, None))
        await client.hear(COMPLETED)
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        await stopping


async def test_an_engine_that_is_killed_costs_no_text() -> None:
    """The session goes on with the audio that it keeps."""
    with server_process(ASR_ENGINE="whisper", WHISPER_MODEL=str(TINY_WHISPER)) as server:
        async with connected(server.url) as client:
            await client.update(turn_detection=None)
            await client.append(SPEECH[: len(SPEECH) // 2])
            await client.update()  # handled after the audio
            os.kill(engine_of(server), signal.SIGKILL)
            await client.append(SPEECH[len(SPEECH) // 2 :])
            await client.commit()
            await client.hear(COMPLETED)
            [text] = transcripts(client.events)
            assert text.startswith("Thank you for joining")
