"""What clients of `/v1/realtime` are told, whatever they send."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from conftest import TINY_WHISPER, running, sample_pcm
from echostream.errors import EngineError
from fakes import fake_pipeline
from web.process import engine_of, server_process
from web.realtime.support import (
    COMMITTED,
    COMPLETED,
    DELTA,
    FAILED,
    WAIT_S,
    WORDS,
    Client,
    Counter,
    at_24_khz,
    connected,
    transcripts,
)
from web.support import metric, settings_of, wait_until

SECOND = bytes(48_000)
TONE = at_24_khz((np.sin(np.arange(16_000) / 10) * 8000).astype(np.int16))
SPEECH = at_24_khz(sample_pcm()[: 4 * 16_000])


@asynccontextmanager
async def serving(transcriber: Counter | None = None, **settings: Any) -> AsyncIterator[str]:
    """A server around a fake engine."""
    server = running(settings_of(**settings), fake_pipeline(transcriber or Counter()))
    url = await asyncio.to_thread(server.__enter__)
    try:
        yield url
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """That of an open server around fakes."""
    settings = settings_of(max_live_sessions=4)
    with running(settings, fake_pipeline(Counter())) as found:
        yield found


@pytest.fixture
async def client(url: str) -> AsyncIterator[Client]:
    async with connected(url) as found:
        yield found


async def assert_it_goes_on(client: Client) -> None:
    """A turn can still be transcribed."""
    assert (await client.update(turn_detection=None))["type"] == "session.updated"
    await client.append(SPEECH)
    await client.commit()
    await client.hear(COMPLETED)
    assert transcripts(client.events)[-1].startswith("one two three")


async def test_the_first_event_has_the_whole_configuration(client: Client) -> None:
    [created] = client.events
    assert created["event_id"].startswith("event_")
    session = created["session"]
    assert session["id"].startswith("sess_")
    assert (session["object"], session["type"]) == (
        "realtime.transcription_session",
        "transcription",
    )
    heard = session["audio"]["input"]
    assert heard["format"] == {"type": "audio/pcm", "rate": 24_000}
    assert heard["noise_reduction"] is None
    assert {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
    }.items() <= heard["turn_detection"].items()


async def test_a_turn_that_the_client_ends(client: Client) -> None:
    await client.update(turn_detection=None)
    await client.append(SPEECH[: len(SPEECH) // 2])
    await client.append(SPEECH[len(SPEECH) // 2 :])
    await client.commit()
    committed = await client.hear(COMMITTED)
    assert committed["previous_item_id"] is None
    added = await client.hear("conversation.item.added")
    assert added["item"] == {
        "id": committed["item_id"],
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    done = await client.hear(COMPLETED)
    assert done["item_id"] == committed["item_id"]
    assert done["content_index"] == 0
    assert done["usage"] == {"type": "duration", "seconds": 4.0}
    assert done["languages"] == [{"code": "en"}]
    assert done["logprobs"] is None
    [text] = transcripts(client.events)
    assert text.startswith("one two three")


async def test_turns_that_are_detected(client: Client) -> None:
    """Two, with silence around them; times count from the first byte."""
    await client.append(SECOND + SPEECH + SECOND * 2 + SPEECH + SECOND)
    starts, ends = [], []
    for _ in range(2):
        started = await client.hear("input_audio_buffer.speech_started")
        stopped = await client.hear("input_audio_buffer.speech_stopped")
        committed = await client.hear(COMMITTED)
        assert started["item_id"] == stopped["item_id"] == committed["item_id"]
        starts.append(started["audio_start_ms"])
        ends.append(stopped["audio_end_ms"])
        assert started["audio_start_ms"] < stopped["audio_end_ms"]
    # Speech begins 0.3 s into the recording, and turns 0.3 s before it.
    assert starts == pytest.approx([1000, 7000], abs=150)
    assert ends[0] < starts[1]
    while len([event for event in client.events if event["type"] == COMPLETED]) < 2:
        await client.next()
    assert len(transcripts(client.events)) == 2


@pytest.mark.parametrize("threshold", [0.0, 1.0])
async def test_the_threshold_is_heeded(client: Client, threshold: float) -> None:
    """At the lowest, even silence is speech; at the highest, nothing is."""
    await client.update(turn_detection={"type": "server_vad", "threshold": threshold})
    await client.append(SECOND if threshold == 0 else SPEECH)
    await client.send("input_audio_buffer.clear")
    await client.hear("input_audio_buffer.cleared")
    kinds = {event["type"] for event in client.events}
    assert ("input_audio_buffer.speech_started" in kinds) is (threshold == 0)


async def test_padding_and_silence_are_heeded(client: Client) -> None:
    detection = {"type": "server_vad", "prefix_padding_ms": 0, "silence_duration_ms": 2000}
    answer = await client.update(turn_detection=detection)
    assert answer["session"]["audio"]["input"]["turn_detection"].items() >= detection.items()
    await client.append(SECOND + SPEECH + SECOND * 3)
    started = await client.hear("input_audio_buffer.speech_started")
    stopped = await client.hear("input_audio_buffer.speech_stopped")
    assert started["audio_start_ms"] == pytest.approx(1300, abs=150)
    assert stopped["audio_end_ms"] == pytest.approx(1000 + 3500 + 2000, abs=400)


async def test_the_client_may_end_a_detected_turn(client: Client) -> None:
    await client.append(SPEECH[: 2 * len(SECOND)])
    started = await client.hear("input_audio_buffer.speech_started")
    await client.commit()
    committed = await client.hear(COMMITTED)
    assert committed["item_id"] == started["item_id"]
    kinds = {event["type"] for event in client.events}
    assert "input_audio_buffer.speech_stopped" not in kinds
    await client.hear(COMPLETED)


@pytest.mark.parametrize("audio", [b"", bytes(4700)])
async def test_a_commit_without_audio(client: Client, audio: bytes) -> None:
    await client.update(turn_detection=None)
    await client.append(audio)
    await client.commit(event_id="mine")
    error = await client.error()
    assert error["code"] == "input_audio_buffer_commit_empty"
    assert error["type"] == "invalid_request_error"
    assert error["event_id"] == "mine"
    assert "Expected at least 100ms of audio" in error["message"]
    await assert_it_goes_on(client)


async def test_clear(client: Client) -> None:
    """Nothing is left to commit, and the next item is only of what follows."""
    await client.update(turn_detection=None)
    await client.append(SPEECH)
    await client.send("input_audio_buffer.clear")
    await client.hear("input_audio_buffer.cleared")
    await client.commit()
    assert (await client.error())["code"] == "input_audio_buffer_commit_empty"
    await client.append(SECOND)
    await client.commit()
    done = await client.hear(COMPLETED)
    assert done["usage"]["seconds"] == 1.0
    assert not [each for each in client.events if each["type"] == COMMITTED][1:]


DEEP = "[" * 100_000
RUDE: list[tuple[str | bytes, str, str | None]] = [
    (b"\0\1", "invalid_frame", None),
    ("{", "invalid_json", None),
    ("", "invalid_json", None),
    ("[]", "invalid_json", None),
    ("null", "invalid_json", None),
    (DEEP, "invalid_json", None),
    ('{"type": "input_audio_buffer.clear", "more": ' + DEEP + "}", "invalid_json", None),
    ('"\\ud800"', "invalid_json", None),
    ("{}", "missing_required_parameter", "type"),
    ('{"type": 7}', "invalid_value", "type"),
    ('{"type": ["a"]}', "invalid_value", "type"),
    ('{"type": "response.create"}', "invalid_value", "type"),
    ('{"type": "transcription_session.update", "session": {}}', "invalid_value", "type"),
    ('{"type": "input_audio_buffer.append"}', "missing_required_parameter", "audio"),
    ('{"type": "input_audio_buffer.append", "audio": 1}', "invalid_value", "audio"),
    ('{"type": "input_audio_buffer.append", "audio": "*"}', "invalid_value", "audio"),
    ('{"type": "input_audio_buffer.append", "audio": "QQ"}', "invalid_value", "audio"),
    ('{"type": "input_audio_buffer.append", "audio": "é"}', "invalid_value", "audio"),
    ('{"type": "input_audio_buffer.clear", "event_id": 5}', "invalid_value", "event_id"),
    ('{"type": "input_audio_buffer.clear", "more": 5}', "unknown_parameter", "more"),
    ('{"type": "session.update"}', "missing_required_parameter", "session"),
    ('{"type": "session.update", "session": []}', "invalid_value", "session"),
    ('{"type": "session.update", "session": {}}', "missing_required_parameter", "session.type"),
]


@pytest.mark.parametrize(("frame", "code", "param"), RUDE)
async def test_rude_frames(
    client: Client, frame: str | bytes, code: str, param: str | None
) -> None:
    await client.socket.send(frame)
    error = await client.error()
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    await assert_it_goes_on(client)


def nested(path: str, value: Any) -> dict[str, Any]:
    """An object in which `value` is at `path`."""
    for name in reversed(path.split(".")):
        value = {name: value}
    fields: dict[str, Any] = value
    return fields


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("type", "realtime", "invalid_value"),
        ("instructions", "be kind", "unknown_parameter"),
        ("include", ["everything"], "invalid_value"),
        ("audio.output", {}, "unknown_parameter"),
        ("audio.input.format.type", "audio/mp3", "invalid_value"),
        ("audio.input.format.rate", 16_000, "invalid_value"),
        ("audio.input.noise_reduction.type", "near_field", "invalid_value"),
        ("audio.input.transcription", None, "invalid_value"),
        ("audio.input.transcription.model", "no-such", "invalid_request"),
        ("audio.input.transcription.model", "gpt-4o-transcribe-diarize", "invalid_value"),
        ("audio.input.transcription.language", "klingon!", "invalid_value"),
        ("audio.input.transcription.delay", "low", "unknown_parameter"),
        ("audio.input.turn_detection.type", "semantic_vad", "invalid_value"),
        ("audio.input.turn_detection.threshold", 1.5, "invalid_value"),
        ("audio.input.turn_detection.silence_duration_ms", -1, "invalid_value"),
        ("audio.input.turn_detection.create_response", True, "invalid_value"),
        ("audio.input.turn_detection.idle_timeout_ms", 5000, "invalid_value"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(
    client: Client, path: str, value: Any, code: str
) -> None:
    """All of the update is refused, and the configuration stays."""
    session = {"type": "transcription", **nested(path, value)}
    await client.send("session.update", session=session, event_id="mine")
    error = await client.error()
    assert (error["code"], error["event_id"]) == (code, "mine")
    # The type of a format or of turn detection is told by the object that has it.
    param = error["param"].removesuffix(".0")
    assert f"session.{path}".startswith(param)
    assert param != "session"
    updated = await client.update()
    assert updated["session"] == client.events[0]["session"]
    await assert_it_goes_on(client)


async def test_only_what_is_given_changes(client: Client) -> None:
    await client.update(transcription={"language": "de", "prompt": "Stadtrat"})
    await client.update(turn_detection={"type": "server_vad", "threshold": 0.7})
    await client.update(format={"type": "audio/pcmu"})
    answer = await client.update(transcription={"keywords": ["Bürgermeister"]})
    heard = answer["session"]["audio"]["input"]
    assert heard["format"] == {"type": "audio/pcmu"}
    assert heard["turn_detection"]["threshold"] == 0.7
    asked = {"language": "de", "prompt": "Stadtrat", "keywords": ["Bürgermeister"]}
    assert heard["transcription"].items() >= asked.items()
    answer = await client.update(transcription={"language": None}, turn_detection=None)
    heard = answer["session"]["audio"]["input"]
    assert (heard["transcription"]["language"], heard["turn_detection"]) == (None, None)


async def test_the_engine_gets_what_was_asked() -> None:
    transcriber = Counter()
    async with serving(transcriber, vocabulary=("EchoStream",)) as url, connected(url) as client:
        asked = {"model": "gpt-4o-transcribe", "language": "de", "prompt": "Stadtrat"}
        await client.update(transcription={**asked, "keywords": ["Anouk"]}, turn_detection=None)
        await client.append(TONE)
        await client.append(SPEECH)
        await client.commit()
        await client.hear(COMPLETED)
    options = transcriber.calls[-1]
    assert (options.model, options.language, options.prompt) == (None, "de", "Stadtrat")
    assert options.hotwords == ("Anouk", "EchoStream")


@pytest.mark.parametrize(("kind", "silence"), [("audio/pcmu", 0xFF), ("audio/pcma", 0xD5)])
async def test_telephone_audio(client: Client, kind: str, silence: int) -> None:
    await client.update(format={"type": kind}, turn_detection=None)
    await client.append(bytes([silence]) * 8000)
    await client.commit()
    done = await client.hear(COMPLETED)
    assert (done["usage"]["seconds"], done["transcript"]) == (1.0, "")


async def test_a_thousand_small_appends(client: Client) -> None:
    """Of sizes that are no whole samples."""
    await client.update(turn_detection=None)
    size = len(SPEECH) // 1000 | 1
    for start in range(0, 1000 * size, size):
        await client.append(SPEECH[start : start + size])
    await client.commit()
    done = await client.hear(COMPLETED)
    assert done["usage"]["seconds"] == pytest.approx(len(SPEECH) / 48_000, abs=0.01)
    assert len(transcripts(client.events)) == 1
    assert len([event for event in client.events if event["type"] == DELTA]) >= 1


async def test_a_frame_that_is_too_large_ends_only_its_connection(url: str) -> None:
    async with connected(url) as client:
        with suppress(ConnectionClosed):  # perhaps before all has been sent
            await client.socket.send("x" * 17 * 1024 * 1024)
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    async with connected(url) as client:
        await assert_it_goes_on(client)


async def refusal(url: str, query: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """Status and error of a handshake that is refused."""
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?{query}"
    with pytest.raises(InvalidStatus) as refused:
        await connect(address, **options)
    response = refused.value.response
    return response.status_code, json.loads(response.body)["error"]


async def test_who_may_connect() -> None:
    async with serving(api_bearer_token="right") as url:
        for options in (
            {},
            {"additional_headers": {"Authorization": "Bearer wrong"}},
            {"subprotocols": ["realtime", "openai-insecure-api-key.wrong"]},
            {"subprotocols": ["realtime"]},
        ):
            status, error = await refusal(url, "intent=transcription", **options)
            assert (status, error["code"]) == (401, "unauthorized")
            assert error["type"] == "authentication_error"
        headers = {"Authorization": "Bearer right"}
        async with connected(url, additional_headers=headers) as client:
            assert client.socket.subprotocol is None
        subprotocols = ["realtime", "openai-insecure-api-key.right", "openai-beta.realtime-v1"]
        async with connected(url, subprotocols=subprotocols) as client:
            assert client.socket.subprotocol == "realtime"


async def test_pages_of_other_sites_may_not_connect() -> None:
    async with serving(cors_origins=("https://mine.example",)) as url:
        host = url.removeprefix("http://")
        for origin in ("https://evil.example", "null", f"http://{host}.evil.example", "http://["):
            status, error = await refusal(url, "intent=transcription", origin=origin)
            assert (status, error["code"]) == (403, "origin_not_allowed")
        for origin in ("https://mine.example", url):
            async with connected(url, origin=origin):
                pass


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("", "intent"),
        ("model=gpt-realtime", "intent"),
        ("intent=talk", "intent"),
        ("intent=transcription&model=no-such", None),
        ("intent=transcription&model=", "session.audio.input.transcription.model"),
    ],
)
async def test_other_sessions_are_not_served(url: str, query: str, param: str | None) -> None:
    status, error = await refusal(url, query)
    assert status in (400, 422)
    assert error["param"] == param


async def test_there_are_few_places() -> None:
    """One who leaves makes room."""
    async with serving(max_live_sessions=2) as url:
        async with connected(url), connected(url, "intent=transcription&model=whisper-1"):
            status, error = await refusal(url, "intent=transcription")
            assert (status, error["code"]) == (503, "server_busy")
            assert error["type"] == "server_error"
        await until_there_is_room(url)
        async with connected(url):
            pass


async def test_connections_count_as_requests() -> None:
    async with serving(rate_limit=1, web_concurrency=1) as url:
        async with connected(url):
            pass
        status, error = await refusal(url, "intent=transcription")
        assert (status, error["code"]) == (429, "rate_limited")
        assert error["type"] == "rate_limit_error"


async def until_there_is_room(url: str) -> None:
    """A connection that has just been closed may hold its place for another moment."""
    await asyncio.to_thread(wait_until, lambda: sessions_of(url) == 0, "no session is left")


def sessions_of(url: str) -> float:
    with httpx.Client(base_url=url) as client:
        return metric(client, "echostream_live_sessions")


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
