"""Starts `WEB_CONCURRENCY` API processes on one port, keeps them alive and ends them.

The parent serves nothing itself and imports nothing heavy. While a process restarts, new
connections wait at the port until another process takes them.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import structlog

from echostream.children import Child, Running, WorkerChild, private_folder, worker_command
from echostream.engine.process import SOCKET, EngineChild
from echostream.lifeline import leave_within
from echostream.settings import Settings
from echostream.web import preflight
from echostream.web.fork_server import ForkServer
from echostream.web.listener import open_listener, url_of

log = structlog.get_logger(__name__)

UP = "up"
"""What a member writes once it is serving."""
IMPOSSIBLE = 78
"""Exit status of the fork server if settings contradict each other (EX_CONFIG); it says why."""
_START_FAILED = 3
"""Exit status of uvicorn if the application does not start; the reason is in the log."""
_KILLING_S = 0.3
"""How long it may take to kill what still runs when the grace is over."""


def serve(settings: Settings) -> None:
    """Serves until a signal; returns when all processes have ended. Exits with one line on stderr
    if the port is not available or settings contradict each other. Raises EchoStreamError if
    `preflight` finds a problem."""
    # As in server.serve; the event loop takes over later.
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


class _Cluster:
    """All processes, and how they end. Create it in a running event loop."""

    def __init__(self, settings: Settings, listener: socket.socket, folder: Path) -> None:
        self._listener = listener
        self._is_up = False
        self._grace_s = grace_s = settings.shutdown_grace_s
        self._ending: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        fork_server = ForkServer(folder, listener, self._failed)
        self._members = [
            _Member(number, fork_server, grace_s, self._up, self._failed)
            for number in range(settings.web_concurrency)
        ]
        wants_worker = settings.use_queue and settings.run_worker
        self._engine = EngineChild(folder / SOCKET)
        worker = WorkerChild(worker_command(folder / SOCKET), stop_s=grace_s)
        self._children: list[Child] = [fork_server, *self._members, *([worker] * wants_worker)]

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        for child in self._children:
            child.start()
        try:
            return await self._ending
        finally:
            self._listener.close()  # else connections would wait for members that accept no more
            await asyncio.gather(*(child.aclose() for child in self._children))
            await self._engine.aclose()  # last, since the others still finish their work

    def _up(self) -> None:
        if not self._is_up:
            self._is_up = True
            self._engine.start()  # only now is it known that the settings fit together
            log.info("listening", url=url_of(self._listener), processes=len(self._members))

    def _failed(self, status: int) -> bool:
        """Whether this exit status forbids a restart. If so, all processes end."""
        if status == IMPOSSIBLE:
            self._end(1)
        elif status == _START_FAILED and not self._is_up:
            self._end(status)
        return self._ending.done()

    def _end(self, status: int) -> None:
        if not self._ending.done():
            self._ending.set_result(status)

    def _stop(self) -> None:
        """Children are killed when the grace is over, and we go with them."""
        leave_within(self._grace_s + _KILLING_S)
        self._end(0)

    def _interrupt(self) -> None:
        """On the second Ctrl-C, members no longer wait for their connections, as in uvicorn."""
        if self._ending.done():
            for member in self._members:
                member.interrupt()
        self._stop()


class _Member(Child):
    """One API process. It writes to its stdout once it is serving."""

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
