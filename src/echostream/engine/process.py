"""Starts the engine in a process of its own."""

from pathlib import Path

from echostream.children import ECHOSTREAM, Service, private_folder
from echostream.engine.client import RemoteEngine

SOCKET = "engine"
"""Name of the socket in a program's private folder."""


class EngineChild(Service):
    """Keeps the engine's process alive."""

    what = "engine"

    def __init__(self, socket: Path, command: tuple[str, ...] = (*ECHOSTREAM, "engine")) -> None:
        super().__init__((*command, str(socket)))


class OwnEngine(RemoteEngine):
    """An engine in a child process, which runs as long as this object is open."""

    def __init__(self, command: tuple[str, ...] = (*ECHOSTREAM, "engine")) -> None:
        self._folder = private_folder()
        socket = Path(self._folder.name) / SOCKET
        super().__init__(socket)
        self._child = EngineChild(socket, command)

    async def start(self) -> None:
        self._child.start()
        await super().start()

    async def aclose(self) -> None:
        await super().aclose()
        await self._child.aclose()
        self._folder.cleanup()
