"""What `/v1/realtime` refuses, and how it says so."""

import json
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from web.probe import probing
from web.realtime.support import (
    Client,
    assert_it_goes_on,
    connected,
    serving,
    until_there_is_room,
)

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


def session_update(inside: str) -> str:
    """A `session.update` with more in its configuration of the transcription."""
    audio = f'{{"input":{{"transcription":{{{inside}}}}}}}'
    return f'{{"type":"session.update","session":{{"type":"transcription","audio":{audio}}}}}'


FLOODS = {
    "values": '{"type":"input_audio_buffer.clear","more":[' + "[]," * 5_000_000 + "0]}",
    "fields": "{" + ",".join(f'"f{number}":0' for number in range(1_000_000)) + "}",
    "settings": session_update(",".join(f'"f{number}":0' for number in range(1_000_000))),
    "languages": session_update('"languages":[' + '"en",' * 3_000_000 + '"en"]'),
    "no languages": session_update('"languages":[' + "0," * 7_000_000 + "0]"),
    "keywords": session_update('"keywords":[' + "0," * 7_000_000 + "0]"),
    "settings that may be": session_update(",".join(f'"f{number}":0' for number in range(9_000))),
}


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_keeps_nobody_waiting(client: Client, url: str, name: str) -> None:
    with probing(url):
        await client.socket.send(FLOODS[name])
        assert (await client.error())["code"] in ("invalid_json", "unknown_parameter")
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


async def refusal(url: str, query: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """Status and error of a handshake that is refused."""
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?{query}"
    with pytest.raises(InvalidStatus) as refused:
        await connect(address, **options)
    response = refused.value.response
    return response.status_code, json.loads(response.body)["error"]


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
