"""The final pass of live audio over Socket.IO: what clients are told of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import httpx2 as httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from conftest import running, sample_pcm, sample_text
from echostream.domain import SAMPLE_RATE_HZ, Segment, TranscribeOptions
from echostream.engine import Samples, Transcription
from echostream.errors import EchoStreamError, EngineError
from sockets.live import SECOND, TOKEN, Client, Message, connected
from streaming.oracle import OracleTranscriber
from web.support import around, settings_of

PCM = sample_pcm().tobytes()


class SecondThoughts(OracleTranscriber):
    """Hears the words of files in capitals, or fails with `file_error`."""

    file_error: EchoStreamError | None = None
    file_hold: threading.Event | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.files_s: list[float] = []

    def transcribe(
        self, samples: Samples, options: TranscribeOptions, *, live: bool = False, **_: object
    ) -> Transcription:
        found = super().transcribe(samples, options)
        if live:
            return found
        self.files_s.append(len(samples) / SAMPLE_RATE_HZ)
        if self.file_hold:
            self.file_hold.wait(30)
        if self.file_error:
            raise self.file_error
        return Transcription((shouted(segment) for segment in found.segments), found.report)


def shouted(segment: Segment) -> Segment:
    words = tuple(replace(word, text=word.text.upper()) for word in segment.words)
    return replace(segment, text=segment.text.upper(), words=words)


@pytest.fixture(scope="module")
def thinker() -> SecondThoughts:
    return SecondThoughts()


@pytest.fixture(scope="module")
def url(thinker: SecondThoughts) -> Iterator[str]:
    settings = settings_of(api_bearer_token=TOKEN, live_kept_s=70)
    with running(settings, around(thinker)) as base_url:
        yield base_url


@pytest.fixture
async def client(url: str) -> AsyncIterator[Client]:
    async with connected(url) as found:
        yield found


async def final_of(client: Client, pcm: bytes = PCM, **fields: Any) -> Message:
    await client.start(**fields)
    await client.send(pcm)
    await client.call("end_audio")
    return await client.first("audio_final")


async def test_the_end_has_both_transcripts(client: Client) -> None:
    final = await final_of(client)
    assert final["transcript"].split() == sample_text().upper().split()
    assert final["liveTranscript"] == client.appended
    assert final["liveTranscript"].split() == sample_text().split()
    assert final["revised"] is True
    assert final["segments"][0]["words"][0]["word"] == "THANK"
    assert final["insights"]["summary"] == final["transcript"]
    assert final["warnings"] == []
    told = client.all("audio_progress")
    assert {each["audioId"] for each in told} == {final["audioId"]}
    assert [each["progress"] for each in told] == sorted(each["progress"] for each in told)
    assert told[-1]["progress"] == 90
    names = [name for name, _ in client.heard if name != "partial_transcript"]
    assert names[-1] == "audio_final"


async def test_most_of_it_is_done_before_the_end(client: Client, thinker: SecondThoughts) -> None:
    thinker.files_s = []
    await client.start()
    await client.send(PCM)
    async with asyncio.timeout(30):
        while len(thinker.files_s) < 2:  # noqa: ASYNC110 - it is told to nobody
            await asyncio.sleep(0.02)
    assert client.all("audio_progress") == []
    await client.call("end_audio")
    final = await client.first("audio_final")
    assert final["transcript"].split() == sample_text().upper().split()
    assert final["liveTranscript"].split() == sample_text().split()
    assert client.all("audio_progress")[0]["progress"] > 50
    assert sum(thinker.files_s) == pytest.approx(final["duration"], abs=0.1)
    assert thinker.files_s[-1] < 10


async def test_it_takes_no_place_for_live_audio() -> None:
    """While it goes on, somebody else may speak; it is seen with the files."""
    thinker = SecondThoughts()
    thinker.file_hold = threading.Event()
    server = running(
        settings_of(api_bearer_token=TOKEN, max_live_sessions=1, worker_concurrency=1),
        around(thinker),
    )
    url = await asyncio.to_thread(server.__enter__)
    try:
        async with connected(url) as first, connected(url) as second:
            await first.start()
            await first.send(PCM[: 4 * SECOND])
            assert (await second.call("start_audio", {"ext": "pcm"}))["error"] == "server_busy"
            assert await gauges(url) == (1, 0)
            await first.call("end_audio")
            await first.first("audio_progress")
            assert first.appended
            assert await gauges(url) == (0, 1)
            await second.start()
            assert await gauges(url) == (1, 1)
            thinker.file_hold.set()
            assert (await first.first("audio_final"))["revised"] is True
            assert await gauges(url) == (1, 0)
    finally:
        thinker.file_hold.set()
        await asyncio.to_thread(server.__exit__, None, None, None)


async def gauges(url: str) -> tuple[float, float]:
    """How many live sessions there are, and how many are only in their final pass."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as http:
        text = (await http.get("/metrics")).text
    found = {
        family.name: family.samples[0].value
        for family in text_string_to_metric_families(text)
        if family.samples
    }
    return found["echostream_live_sessions"], found["echostream_live_endings"]


async def test_with_speakers(client: Client) -> None:
    final = await final_of(client, diarize=True)
    assert {segment["speaker"] for segment in final["segments"]} == {"A", "B"}
    assert final["segments"][0]["text"].startswith("THANK")
    assert client.all("audio_progress")[-1] | {"audioId": ""} == {
        "audioId": "",
        "stage": "diarizing",
        "progress": 100,
        "secondsLeft": None,
    }


async def test_it_can_be_left_out(client: Client, thinker: SecondThoughts) -> None:
    final = await final_of(client, PCM[: 4 * SECOND], finalPass=False)
    assert final["transcript"] == final["liveTranscript"] == client.appended
    assert final["revised"] is False
    assert client.all("audio_progress") == []


async def test_if_it_fails_the_live_transcript_stands(
    client: Client, thinker: SecondThoughts
) -> None:
    thinker.file_error = EngineError("out of memory")
    try:
        final = await final_of(client, PCM[: 4 * SECOND])
    finally:
        thinker.file_error = None
    assert "error" not in final
    assert final["transcript"] == final["liveTranscript"] == client.appended != ""
    assert final["revised"] is False
    assert [each["code"] for each in final["warnings"]] == ["final_pass_failed"]
    assert final["insights"]["summary"]


async def test_more_audio_than_is_kept(client: Client) -> None:
    final = await final_of(client, PCM + PCM)
    assert final["transcript"] == client.appended
    [warning] = final["warnings"]
    assert "longer than the 70 s that are kept" in warning["message"]
