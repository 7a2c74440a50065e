"""Realtime clients, and checks of what they are told."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Generator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from conftest import running, sample_pcm, sample_turns
from echostream.domain import SAMPLE_RATE_HZ, Segment, Word
from echostream.engine import Report
from fakes import FakeTranscriber, fake_pipeline
from web.support import metric, settings_of, wait_until

Event = dict[str, Any]

CONVERSATION = "conversation.item.input_audio_transcription"
DELTA, COMPLETED, FAILED = (f"{CONVERSATION}.{kind}" for kind in ("delta", "completed", "failed"))
COMMITTED = "input_audio_buffer.committed"
WAIT_S = 30


def at_24_khz(samples: np.ndarray) -> bytes:
    """Samples of 16 kHz as PCM16 at 24 kHz."""
    places = np.arange(len(samples) * 3 // 2) * 2 / 3
    return np.interp(places, np.arange(len(samples)), samples).astype("<i2").tobytes()


def first_turns(until_s: float = 20.0) -> tuple[bytes, str]:
    """The turns of the sample that end by a time: PCM16 at 24 kHz, and what is said."""
    turns = [turn for turn in sample_turns() if turn["end_s"] < until_s]
    end = round(turns[-1]["end_s"] * 16_000)
    return at_24_khz(sample_pcm()[:end]), " ".join(turn["text"] for turn in turns)


WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


class Counter(FakeTranscriber):
    """Says a word for each second of what it reads. Longer readings only add words."""

    def _segments(self, count: int, report: Report) -> Generator[Segment]:
        self.started.set()
        if self.hold:
            self.hold.wait(WAIT_S)
        words = [
            Word(start_s + 0.2, start_s + 0.8, text)
            for start_s, text in enumerate(WORDS[: count // SAMPLE_RATE_HZ])
        ]
        if words:
            text = " ".join(word.text for word in words)
            yield Segment(0, 0.2, words[-1].end_s, text, tuple(words), language="en")


class Client:
    """A WebSocket, and all events that have come."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[Event] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def append(self, audio: bytes, **fields: Any) -> None:
        encoded = base64.b64encode(audio).decode()
        await self.send("input_audio_buffer.append", audio=encoded, **fields)

    async def commit(self, **fields: Any) -> None:
        await self.send("input_audio_buffer.commit", **fields)

    async def update(self, **audio_input: Any) -> Event:
        """Changes the configuration; the answer, an error or the new session."""
        session = {"type": "transcription", "audio": {"input": audio_input}}
        await self.send("session.update", session=session)
        return await self.hear("session.updated", "error")

    async def next(self) -> Event:
        async with asyncio.timeout(WAIT_S):
            event: Event = json.loads(await self.socket.recv())
        self.events.append(event)
        return event

    async def hear(self, *kinds: str) -> Event:
        """The next event of one of these kinds."""
        while (event := await self.next())["type"] not in kinds:
            pass
        return event

    async def error(self) -> Event:
        found: Event = (await self.hear("error"))["error"]
        return found


@asynccontextmanager
async def connected(
    url: str, query: str = "intent=transcription", **options: Any
) -> AsyncIterator[Client]:
    """A client that has been told of its session."""
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?{query}"
    async with connect(address, max_size=None, open_timeout=2 * WAIT_S, **options) as socket:
        client = Client(socket)
        await client.hear("session.created")
        yield client


def transcripts(events: Iterable[Event]) -> list[str]:
    """The transcripts of all items, in the order of the items; checks that they are in order, and
    that each is what its deltas said."""
    events = list(events)
    deltas: dict[str, str] = {}
    completed: dict[str, str] = {}
    order: list[str] = []
    for event in events:
        match event["type"]:
            case kind if kind == DELTA:
                assert event["item_id"] not in completed
                assert event["content_index"] == 0
                deltas[event["item_id"]] = deltas.get(event["item_id"], "") + event["delta"]
            case kind if kind == COMPLETED:
                assert event["item_id"] in order
                completed[event["item_id"]] = event["transcript"]
            case kind if kind == COMMITTED:
                assert event["previous_item_id"] == (order[-1] if order else None)
                order.append(event["item_id"])
    assert order
    for item in order:
        assert completed[item] == deltas.get(item, "")
    return [completed[item] for item in order]


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


async def assert_it_goes_on(client: Client) -> None:
    """A turn can still be transcribed."""
    assert (await client.update(turn_detection=None))["type"] == "session.updated"
    await client.append(SPEECH)
    await client.commit()
    await client.hear(COMPLETED)
    assert transcripts(client.events)[-1].startswith("one two three")


async def until_there_is_room(url: str) -> None:
    """A connection that has just been closed may hold its place for another moment."""
    await asyncio.to_thread(wait_until, lambda: sessions_of(url) == 0, "no session is left")


def sessions_of(url: str) -> float:
    with httpx.Client(base_url=url) as client:
        return metric(client, "echostream_live_sessions")
