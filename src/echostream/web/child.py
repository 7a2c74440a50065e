"""The worker that `RUN_WORKER=true` starts beside the API: a child process, kept alive."""

import asyncio
import sys
from contextlib import suppress

import structlog

log = structlog.get_logger(__name__)

_LONGEST_PAUSE_S = 30.0


class WorkerChild:
    """Starts the worker again whenever it ends, after a pause that grows while it ends quickly.

    The child reads a pipe from us, whose end it takes as the order to stop: it cannot outlive this
    process, whatever ends that.
    """

    def __init__(self, command: tuple[str, ...] | None = None) -> None:
        self._command = command or (
            *(sys.executable, "-m", "echostream"),
            *("worker", "--lifeline"),
        )
        self._task: asyncio.Task[None] | None = None
        self.process: asyncio.subprocess.Process | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_alive())

    async def aclose(self) -> None:
        """Let the worker finish or hand back its jobs, and end."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = 0.5
        while True:
            started = loop.time()
            status = await self._run_once()
            pause_s = 0.5 if loop.time() - started > 60 else min(pause_s * 2, _LONGEST_PAUSE_S)
            log.error("worker_ended", status=status, again_in_s=pause_s)
            await asyncio.sleep(pause_s)

    async def _run_once(self) -> int:
        self.process = process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE
        )
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.terminate()
                await asyncio.shield(process.wait())
