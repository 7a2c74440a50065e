"""`WEB_CONCURRENCY` API processes on one port: starts them, keeps them alive, ends them.

The parent serves nothing itself, and imports nothing heavy. Connections that come while a process
is started again wait at the port for another one to take them.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import structlog

from echostream.children import Child, Running, WorkerChild, worker_command
from echostream.engine.process import SOCKET, EngineChild, private_folder
from echostream.settings import Settings
from echostream.web import preflight
from echostream.web.fork_server import ForkServer
from echostream.web.listener import open_listener, url_of

log = structlog.get_logger(__name__)

UP = "up"
"""What a member says when it serves."""
IMPOSSIBLE = 78
"""Exit status of the fork server when settings do not fit together (EX_CONFIG); it has said why."""
_START_FAILED = 3
"""That of uvicorn when the application does not start; the reason is in the log."""
_MARGIN_S = 15.0


def serve(settings: Settings) -> None:
    """Serve until a signal; returns when all processes have ended. Exits with one line on stderr
    when the port cannot be had or the settings do not fit together. Raises EchoStreamError for what
    `preflight` misses."""
    # As in server.serve: until the loop looks out for it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    status = 0
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        preflight.check(settings)
        listener = stack.enter_context(open_listener(settings))
        folder = stack.enter_context(private_folder())
        status = asyncio.run(_run(settings, listener, Path(folder)))
    if status:
        sys.exit(status)


async def _run(settings: Settings, listener: socket.socket, folder: Path) -> int:
    return await _Cluster(settings, listener, folder).run()


def stop_s(settings: Settings) -> float:
    """How long a member may take to stop. It ends its requests itself before that."""
    return settings.shutdown_grace_s + _MARGIN_S


class _Cluster:
    """The processes, and how they all end. Made inside the running loop."""

    def __init__(self, settings: Settings, listener: socket.socket, folder: Path) -> None:
        self._listener = listener
        self._is_up = False
        self._ending: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        fork_server = ForkServer(folder, listener, self._failed)
        self._members = [
            _Member(number, fork_server, stop_s(settings), self._up, self._failed)
            for number in range(settings.web_concurrency)
        ]
        wants_worker = settings.use_queue and settings.run_worker
        self._engine = EngineChild(folder / SOCKET)
        worker = [WorkerChild(worker_command(folder / SOCKET))] if wants_worker else []
        self._children: list[Child] = [fork_server, *self._members, *worker]

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._end, 0)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        for child in self._children:
            child.start()
        try:
            return await self._ending
        finally:
            self._listener.close()  # or connections would wait for members that take no more
            await asyncio.gather(*(child.aclose() for child in self._children))
            await self._engine.aclose()  # last, since the others end what they do

    def _up(self) -> None:
        if not self._is_up:
            self._is_up = True
            self._engine.start()  # now that the settings are known to fit together
            log.info("listening", url=url_of(self._listener), processes=len(self._members))

    def _failed(self, status: int) -> bool:
        """Whether a process that has ended so must not be started again, which ends them all."""
        if status == IMPOSSIBLE:
            self._end(1)
        elif status == _START_FAILED and not self._is_up:
            self._end(status)
        return self._ending.done()

    def _end(self, status: int) -> None:
        if not self._ending.done():
            self._ending.set_result(status)

    def _interrupt(self) -> None:
        """The second time members do not wait for their connections any more, as uvicorn has it."""
        if self._ending.done():
            for member in self._members:
                member.interrupt()
        self._end(0)


class _Member(Child):
    """One API process. It says on its stdout when it serves."""

    what = "member"

    def __init__(
        self,
        number: int,
        fork_server: ForkServer,
        stop_s: float,
        on_up: Callable[[], None],
        is_final: Callable[[int], bool],
    ) -> None:
        super().__init__(stop_s=stop_s)
        self._number = number
        self._fork_server = fork_server
        self._on_up = on_up
        self._is_final = is_final

    def interrupt(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGINT)

    async def _start_process(self) -> Running:
        return await self._fork_server.fork(self._number, self._note)

    def _note(self, said: str) -> None:
        if said == UP:
            self._on_up()

    def _is_over(self, status: int) -> bool:
        return self._is_final(status)
