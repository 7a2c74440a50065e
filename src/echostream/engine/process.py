"""Starts the engine in a process of its own."""

import tempfile
from pathlib import Path

from echostream.children import ECHOSTREAM, Program, Running
from echostream.engine.client import RemoteEngine

SOCKET = "engine"
"""Name of the socket in a program's private folder."""
_STOP_S = 10.0
_LONGEST_PATH = 80
"""Paths of Unix sockets are limited to about a hundred characters."""


def private_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder for sockets that only this user can open."""
    parent = tempfile.gettempdir()
    return tempfile.TemporaryDirectory(
        prefix="echostream-",
        dir=parent if len(parent) < _LONGEST_PATH else "/tmp",  # noqa: S108 - made by mkdtemp
        ignore_cleanup_errors=True,
    )


class EngineChild(Program):
    """Keeps the engine's process alive. It ends when its stdin ends, not on a signal."""

    what = "engine"

    def __init__(self, socket: Path, command: tuple[str, ...] = (*ECHOSTREAM, "engine")) -> None:
        # In its own process group, so that Ctrl-C in a terminal does not reach its children either.
        super().__init__((*command, str(socket)), stop_s=_STOP_S, process_group=0, stdout=2)

    def _ask_to_end(self, process: Running) -> None:
        if process.stdin is not None:
            process.stdin.close()


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
