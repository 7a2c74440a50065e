"""Child processes that are kept alive, and the worker that `RUN_WORKER=true` starts as one."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)

# -P: with -m Python would otherwise look for modules in the folder that the user is in, and run
# whatever is called `queue.py` there.
PYTHON = (sys.executable, "-P")
ECHOSTREAM = (*PYTHON, "-m", "echostream")
_LONGEST_PAUSE_S = 30.0
_START_S = 3.0


class Child:
    """Starts its process again whenever it ends, after a pause that grows while it ends quickly.

    The process reads a pipe from us, whose end it takes as the order to stop: it cannot outlive
    this one, whatever ends that. `stop_s` is how long it may take to stop before it is killed.
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
        """Let the process finish what it does, and end."""
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
            except OSError as error:  # the machine has no room for it
                status = error.errno or 1
            if self._is_over(status):
                return
            pause_s = 0.5 if loop.time() - started > 60 else min(pause_s * 2, _LONGEST_PAUSE_S)
            log.error(f"{self.what}_ended", status=status, again_in_s=pause_s)
            await asyncio.sleep(pause_s)

    async def _run_once(self) -> int:
        # Cancelled within this call, asyncio kills the process and then waits for ever, until it is
        # cancelled once more (seen with 3.11.7).
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
        """Whether a process that ended with this status is not to be started again."""
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
    """A worker that shares the engine at a socket, or has one of its own."""
    return (*ECHOSTREAM, "worker", "--lifeline", *(("--engine", str(engine)) if engine else ()))


class WorkerChild(Child):
    """The queue's worker; it finishes its jobs or hands them back before it ends."""

    what = "worker"

    def __init__(self, command: tuple[str, ...] | None = None) -> None:
        super().__init__(command or worker_command())
