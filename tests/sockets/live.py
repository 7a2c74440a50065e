"""A client of live audio over Socket.IO."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import socketio

EVENTS = (
    *("audio_started", "partial_transcript", "insights_update", "audio_progress"),
    *("audio_final", "audio_error"),
)
TOKEN = "a token of our own"
SECOND = 32_000
Message = dict[str, Any]


class Client:
    """A Socket.IO client that keeps what it hears."""

    def __init__(self, http: aiohttp.ClientSession | None = None) -> None:
        self.socket = socketio.AsyncClient(
            reconnection=False, handle_sigint=False, http_session=http
        )
        self.heard: list[tuple[str, Message]] = []
        self.gone = asyncio.Event()
        """Set once the server has ended the connection, or it broke; `socket.wait` would wait for a
        task of the client's too that only ends at its time limit."""
        self.socket.on("disconnect", self._leave)
        self._changed = asyncio.Condition()
        for event in EVENTS:
            self.socket.on(event, self._keep(event))

    def _keep(self, event: str) -> Any:
        async def keep(message: Message) -> None:
            async with self._changed:
                self.heard.append((event, message))
                self._changed.notify_all()

        return keep

    async def _leave(self, _reason: str) -> None:
        self.gone.set()

    def all(self, event: str) -> list[Message]:
        return [message for name, message in self.heard if name == event]

    async def first(self, event: str, after: int = 0) -> Message:
        """The first message of that name after so many others, waited for."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: len(self.all(event)) > after)
        return self.all(event)[after]

    async def told(self, event: str, are: Callable[[list[Message]], bool]) -> None:
        """Waits until the messages of that name are as `are` says."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: are(self.all(event)))

    async def call(self, event: str, *data: Any) -> Message:
        answer: Message = await self.socket.call(event, *data, timeout=30)
        return answer

    async def start(self, **fields: Any) -> Message:
        return await self.call("start_audio", {"ext": "pcm", **fields})

    async def send(self, pcm: bytes, step: int = SECOND, first: int = 0) -> None:
        for number, start in enumerate(range(0, len(pcm), step), first):
            answer = await self.call(
                "audio_chunk", {"buffer": pcm[start : start + step], "seq": number}
            )
            assert answer["ok"], answer

    @property
    def appended(self) -> str:
        return "".join(message["text"] for message in self.all("partial_transcript"))


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Client]:
    client = Client()
    await client.socket.connect(url, **{"auth": {"token": TOKEN}, **options})
    try:
        yield client
    finally:
        await client.socket.disconnect()
