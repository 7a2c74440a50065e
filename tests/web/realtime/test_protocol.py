"""What clients of `/v1/realtime` are told of their audio."""

import threading

import pytest

from web.realtime.support import (
    COMMITTED,
    COMPLETED,
    DELTA,
    SECOND,
    SPEECH,
    TONE,
    Client,
    Counter,
    assert_it_goes_on,
    connected,
    serving,
    transcripts,
)


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


async def test_turns_are_told_while_the_engine_reads() -> None:
    hold = threading.Event()
    async with serving(Counter(hold=hold)) as url, connected(url) as client:
        await client.append(SPEECH + SECOND * 2 + SPEECH)
        for _ in range(2):
            await client.hear("input_audio_buffer.speech_started")
        assert COMPLETED not in {event["type"] for event in client.events}
        hold.set()
        await client.hear(COMPLETED)


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
