"""Child processes that are restarted when they end; `RUN_WORKER=true` starts a worker like this."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)

# -P: otherwise Python with -m looks for modules in the current folder, and would run a `queue.py`
# that it finds there.
PYTHON = (sys.executable, "-P")
ECHOSTREAM = (*PYTHON, "-m", "echostream")
_LONGEST_PAUSE_S = 30.0
_START_S = 3.0


class Child:
    """Restarts its process whenever it ends, after a pause that grows if it ends quickly.

    The process reads a pipe from us and stops at its end, so it cannot outlive this process.
    `stop_s` is how long it may take to stop before it is killed.
    """

    what = "child"

    def __init__(
        self, command: tuple[str, ...], *, stop_s: float | None = None, **options: Any
    ) -> None:
        self._command = command
        self._stop_s = stop_s
        self._options = options
        self._task: asyncio.Task[None] | None = None
        self.process: Process | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_alive())

    async def aclose(self) -> None:
        """Lets the process finish its work, and stops it."""
        if self._task is None:
            return
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
            if self._is_over(status):
                return
            pause_s = 0.5 if loop.time() - started > 60 else min(pause_s * 2, _LONGEST_PAUSE_S)
            log.error(f"{self.what}_ended", status=status, again_in_s=pause_s)
            await asyncio.sleep(pause_s)

    async def _run_once(self) -> int:
        # If this call is cancelled, asyncio kills the process and then waits until it is cancelled
        # again (seen with 3.11.7).
        async with asyncio.timeout(_START_S):
            self.process = process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, **self._options
            )
        try:
            return await self._until_end(process)
        finally:
            if process.returncode is None:
                self._ask_to_end(process)
                await self._killed_if_late(process)
            if process.stdin is not None:
                process.stdin.close()

    async def _until_end(self, process: Process) -> int:
        return await process.wait()

    def _ask_to_end(self, process: Process) -> None:
        with suppress(ProcessLookupError):
            process.terminate()

    def _is_over(self, _status: int) -> bool:
        """Whether a process with this exit status must not be restarted."""
        return False

    async def _killed_if_late(self, process: Process) -> None:
        try:
            await asyncio.wait_for(asyncio.shield(process.wait()), self._stop_s)
        except TimeoutError:
            log.error(f"{self.what}_killed", after_s=self._stop_s)
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())


def worker_command(engine: Path | None = None) -> tuple[str, ...]:
    """The command of a worker that uses the engine at a socket, or starts its own."""
    return (*ECHOSTREAM, "worker", "--lifeline", *(("--engine", str(engine)) if engine else ()))


class WorkerChild(Child):
    """A worker. Before it ends, it finishes its jobs or hands them back."""

    what = "worker"

    def __init__(self, command: tuple[str, ...] | None = None) -> None:
        super().__init__(command or worker_command())
