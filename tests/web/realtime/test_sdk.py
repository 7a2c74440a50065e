"""The official SDKs, of Python and of npm, against one process and several, with a small model."""

import asyncio
import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types import realtime as shapes
from websockets.exceptions import InvalidStatus

from conftest import TINY_WHISPER, word_error_rate
from node_packages import with_packages
from web.process import ServerProcess, server_process
from web.realtime.support import COMPLETED, Event, first_turns, transcripts

TOKEN = "t0ken-of-the-tests"
STEP = 4800
AUDIO, SAID = first_turns()
PARSED = {
    "session.created": shapes.SessionCreatedEvent,
    "session.updated": shapes.SessionUpdatedEvent,
    "input_audio_buffer.speech_started": shapes.InputAudioBufferSpeechStartedEvent,
    "input_audio_buffer.speech_stopped": shapes.InputAudioBufferSpeechStoppedEvent,
    "input_audio_buffer.committed": shapes.InputAudioBufferCommittedEvent,
    "conversation.item.added": shapes.ConversationItemAdded,
    "conversation.item.done": shapes.ConversationItemDone,
    COMPLETED: shapes.ConversationItemInputAudioTranscriptionCompletedEvent,
    COMPLETED.replace("completed", "delta"): (
        shapes.ConversationItemInputAudioTranscriptionDeltaEvent
    ),
}


@pytest.fixture(scope="module", params=["1", "2"])
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    with server_process(
        API_BEARER_TOKEN=TOKEN,
        ASR_ENGINE="whisper",
        WHISPER_MODEL=str(TINY_WHISPER),
        WEB_CONCURRENCY=request.param,
        MAX_LIVE_SESSIONS="8",
    ) as found:
        yield found


def assert_it_was_understood(texts: list[str]) -> None:
    assert len(texts) > 1
    assert word_error_rate(SAID, " ".join(texts)) <= 0.1


def client_of(server: ServerProcess, token: str = TOKEN) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=token)


async def listen(connection: AsyncRealtimeConnection) -> list[Event]:
    """Sends the sample; the events until everything has been completed. Their types are those that
    the SDK knows, and its models take them as they are."""
    events, unfinished, is_sent = [], set(), False
    for start in range(0, len(AUDIO), STEP):
        piece = base64.b64encode(AUDIO[start : start + STEP]).decode()
        await connection.input_audio_buffer.append(audio=piece)
    await connection.input_audio_buffer.commit()
    await connection.input_audio_buffer.clear()
    async for event in connection:
        events.append(event.to_dict())
        if (shape := PARSED.get(event.type)) is not None:
            assert type(event) is shape
            shape.model_validate(events[-1])
        match event.type:
            case "input_audio_buffer.committed":
                unfinished.add(event.item_id)
            case "input_audio_buffer.cleared":
                is_sent = True
            case kind if kind == COMPLETED:
                assert event.usage.type == "duration"
                unfinished.discard(event.item_id)
        if is_sent and not unfinished:
            return events
    raise AssertionError("the connection ended too early")


async def test_python(server: ServerProcess) -> None:
    """Several at once, so that each process has some."""

    async def converse() -> list[Event]:
        async with (
            client_of(server) as client,
            client.realtime.connect(extra_query={"intent": "transcription"}) as connection,
        ):
            transcription = {"model": "gpt-4o-transcribe", "language": "en"}
            await connection.session.update(
                session={
                    "type": "transcription",
                    "audio": {
                        "input": {
                            "format": {"type": "audio/pcm", "rate": 24_000},
                            "transcription": transcription,
                            "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
                        }
                    },
                    "include": ["item.input_audio_transcription.logprobs"],
                }
            )
            return await listen(connection)

    for events in await asyncio.gather(*(converse() for _ in range(3))):
        texts = transcripts(events)
        assert_it_was_understood(texts)
        tokens = [
            "".join(each["token"] for each in event["logprobs"])
            for event in events
            if event["type"] == COMPLETED
        ]
        assert tokens == texts


async def test_python_with_a_wrong_token(server: ServerProcess) -> None:
    async with client_of(server, "wrong") as client:
        with pytest.raises(InvalidStatus) as refused:
            await client.realtime.connect(extra_query={"intent": "transcription"}).enter()
    response = refused.value.response
    assert response.status_code == 401
    assert json.loads(response.body)["error"]["code"] == "unauthorized"


@pytest.mark.parametrize("transport", ["ws", "browser"])
def test_npm(
    server: ServerProcess, transport: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    events = run_npm(server, TOKEN, transport, tmp_path, pytestconfig)
    faults = [event for event in events if event["type"] == "sdk.error"]
    assert [fault["code"] for fault in faults] in ([], ["input_audio_buffer_commit_empty"])
    assert_it_was_understood(transcripts(events))


@pytest.mark.parametrize("transport", ["ws", "browser"])
def test_npm_with_a_wrong_token(
    server: ServerProcess, transport: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    [refused] = run_npm(server, "wrong", transport, tmp_path, pytestconfig)
    assert "401" in refused["message"]


def run_npm(
    server: ServerProcess, token: str, transport: str, folder: Path, config: pytest.Config
) -> list[Event]:
    program = with_packages(config, Path(__file__).parent / "node")
    (audio := folder / "audio.pcm").write_bytes(AUDIO)
    command = ["node", str(program), server.url, token, transport, str(audio)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line) for line in ran.stdout.splitlines()]
