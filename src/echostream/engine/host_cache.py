"""The cache in the engine's process, as other processes use it."""

import asyncio
from pathlib import Path

from echostream.engine.wire import Get, Kept, Put
from echostream.links import Link


class HostCache:
    """The cache in the engine's process, shared by all processes of a machine. Any error counts as
    a miss."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def get(self, key: str) -> bytes | None:
        answer = await self._ask(Get(key))
        return answer.value if isinstance(answer, Kept) else None

    async def put(self, key: str, value: bytes) -> None:
        await self._ask(Put(key, value))

    async def aclose(self) -> None:
        """Holds nothing to close."""

    async def _ask(self, question: object) -> object:
        try:
            link = Link(*await asyncio.open_unix_connection(self._socket))
        except OSError:
            return None
        try:
            await link.send(question)
            answer: object = await link.receive()
        except OSError:
            return None
        finally:
            link.close()
        return answer
