"""Child processes that are restarted when they end; `RUN_WORKER=true` starts a worker like this."""

import asyncio
import math
import os
import signal
import sys
import tempfile
from abc import ABC, abstractmethod
from asyncio.subprocess import PIPE
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import structlog

from echostream.lifeline import left_s

log = structlog.get_logger(__name__)

# -P: otherwise Python with -m looks for modules in the current folder, and would run a `queue.py`
# that it finds there.
PYTHON = (sys.executable, "-P")
ECHOSTREAM = (*PYTHON, "-m", "echostream")
_LONGEST_PAUSE_S = 30.0
_START_S = 3.0
_KILLING_S = 0.3
"""How long before this process leaves its children are killed."""
_SERVICE_STOP_S = 10.0
_LONGEST_PATH = 80
"""Paths of Unix sockets are limited to about a hundred characters."""


class Running(Protocol):
    """As much of a process as `Child` needs. `asyncio.subprocess.Process` is one."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None:
        """None until it has ended."""

    @property
    def stdin(self) -> asyncio.StreamWriter | None: ...

    async def wait(self) -> int: ...

    def send_signal(self, number: int, /) -> None:
        """Raises ProcessLookupError if it has just ended."""


class Child(ABC):
    """Starts its process again whenever it ends, after a pause that grows while it ends quickly.

    The process reads a pipe from us and stops at its end, so it cannot outlive this process.
    `stop_s` is how long it may take to stop before it is killed. It has less time if this process
    leaves before that.
    """

    what = "child"

    def __init__(self, *, stop_s: float = math.inf) -> None:
        self._stop_s = stop_s
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        self.process: Running | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_alive())

    async def aclose(self) -> None:
        """Lets the process finish its work, and stops it. May be called again meanwhile."""
        if self._task is None:
            return
        if not self._is_closing:
            self._is_closing = True
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = 0.5
        while True:
            started = loop.time()
            try:
                status = await self._run_once()
            except OSError as error:  # no memory or process left for it
                status = error.errno or 1
            except Exception as error:  # a fault of ours; without the child, others would wait
                log.error(f"{self.what}_start_failed", exc_info=error)
                status = 1
            if self._is_over(status):
                return
            pause_s = 0.5 if loop.time() - started > 60 else min(pause_s * 2, _LONGEST_PAUSE_S)
            log.error(f"{self.what}_ended", status=status, again_in_s=pause_s)
            await asyncio.sleep(pause_s)

    async def _run_once(self) -> int:
        self.process = process = await self._start_process()
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                self._ask_to_end(process)
                await self._killed_if_late(process)
            if process.stdin is not None:
                process.stdin.close()
            self._clean_up(process)

    @abstractmethod
    async def _start_process(self) -> Running:
        """Raises OSError if there is no room for it."""

    def _ask_to_end(self, process: Running) -> None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)

    def _kill(self, process: Running) -> None:
        process.send_signal(signal.SIGKILL)

    def _clean_up(self, _process: Running) -> None:  # noqa: B027 - most leave nothing
        """Ends what a process that has ended may have left."""

    def _is_over(self, _status: int) -> bool:
        """Whether a process with this exit status must not be restarted."""
        return False

    async def _killed_if_late(self, process: Running) -> None:
        stop_s = min(self._stop_s, left_s() - _KILLING_S)
        try:
            within_s = None if math.isinf(stop_s) else max(0.0, stop_s)
            await asyncio.wait_for(asyncio.shield(process.wait()), within_s)
        except TimeoutError:
            log.error(f"{self.what}_killed", after_s=round(stop_s, 1))
            with suppress(ProcessLookupError):
                self._kill(process)
            await asyncio.shield(process.wait())


class Program(Child):
    """A child that is started by a command; `options` are those of `create_subprocess_exec`."""

    def __init__(
        self, command: tuple[str, ...], *, stop_s: float = math.inf, **options: Any
    ) -> None:
        super().__init__(stop_s=stop_s)
        self._command = command
        self._options = options

    async def _start_process(self) -> Running:
        # Cancelled within this call, asyncio kills the process and then waits for ever, until it is
        # cancelled once more (seen with 3.11.7).
        async with asyncio.timeout(_START_S):
            return await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, **self._options)


class Service(Program):
    """A child that answers at a Unix socket. It ends when its stdin ends, not on a signal."""

    def __init__(self, command: tuple[str, ...]) -> None:
        # In its own process group, so that Ctrl-C in a terminal does not reach its children either.
        super().__init__(command, stop_s=_SERVICE_STOP_S, process_group=0, stdout=2)

    def _ask_to_end(self, process: Running) -> None:
        if process.stdin is not None:
            process.stdin.close()

    def _kill(self, process: Running) -> None:
        # With its children, which may be in the middle of something that takes long.
        os.killpg(process.pid, signal.SIGKILL)

    def _clean_up(self, process: Running) -> None:
        with suppress(ProcessLookupError):
            self._kill(process)


def private_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder for sockets that only this user can open."""
    parent = tempfile.gettempdir()
    return tempfile.TemporaryDirectory(
        prefix="echostream-",
        dir=parent if len(parent) < _LONGEST_PATH else "/tmp",  # noqa: S108 - made by mkdtemp
        ignore_cleanup_errors=True,
    )


def worker_command(engine: Path | None = None) -> tuple[str, ...]:
    """The command of a worker that uses the engine at a socket, or starts its own."""
    return (*ECHOSTREAM, "worker", "--lifeline", *(("--engine", str(engine)) if engine else ()))


class WorkerChild(Program):
    """The queue's worker; it finishes its jobs or hands them back before it ends."""

    what = "worker"

    def __init__(self, command: tuple[str, ...] | None = None, *, stop_s: float = math.inf) -> None:
        super().__init__(command or worker_command(), stop_s=stop_s)
