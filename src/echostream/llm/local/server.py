"""Starts a language model's process, and connects to it."""

import asyncio
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from echostream.children import ECHOSTREAM, Service, private_folder
from echostream.links import Link
from echostream.llm.base import InsightsError
from echostream.llm.local.models import ModelFile

SOCKET = "llm"
"""Name of the socket in a program's private folder."""
START_S = 60.0
"""How long to wait for a process that is being started, or restarted."""
_TRY_EVERY_S = 0.1


class ModelServer(Protocol):
    """A language model's process."""

    async def connect(self) -> Link:
        """Raises InsightsError if the process does not come up."""

    async def aclose(self) -> None: ...


class SharedServer:
    """The process that answers at a socket, and that somebody else keeps alive."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def connect(self) -> Link:
        try:
            async with asyncio.timeout(START_S):
                while True:
                    with suppress(OSError):
                        return Link(*await asyncio.open_unix_connection(self._socket))
                    await asyncio.sleep(_TRY_EVERY_S)
        except TimeoutError:
            raise InsightsError("the language model's process does not start") from None

    async def aclose(self) -> None:
        """Holds nothing to close."""


class OwnServer:
    """A process of our own, from its first use until this object is closed."""

    def __init__(self, command: tuple[str, ...]) -> None:
        """`command` lacks the socket, which comes last."""
        self._command = command
        self._folder: TemporaryDirectory[str] | None = None
        self._child: ServerChild | None = None

    async def connect(self) -> Link:
        if self._folder is None:
            self._folder = private_folder()
        socket = Path(self._folder.name) / SOCKET
        if self._child is None:
            self._child = ServerChild(self._command, socket)
            self._child.start()
        return await SharedServer(socket).connect()

    async def aclose(self) -> None:
        if self._child is not None:
            await self._child.aclose()
        if self._folder is not None:
            self._folder.cleanup()


class ServerChild(Service):
    """Keeps a language model's process alive."""

    what = "llm"

    def __init__(self, command: tuple[str, ...], socket: Path) -> None:
        super().__init__((*command, str(socket)))


def server_command(file: ModelFile, idle_s: float) -> tuple[str, ...]:
    """The command of a process for this model, without its socket."""
    return (*ECHOSTREAM, "llm", str(file.path), str(file.context_tokens), str(idle_s))
