"""What is under load: a server with all its processes, and what it needs around it, real parts on
loopback, of which each can be killed or made slow."""

import asyncio
import base64
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import httpx2 as httpx
import pytest

from echostream.jobs import JobQueue
from echostream.storage import Storage
from echostream.worker.sweep import sweep
from jobs.api_support import Receiver, receiver
from jobs.place import free_port
from moto_server import moto_server, point_aws_at
from redis_server import RedisServer
from slow_proxy import SlowProxy, slow_proxy
from soak.footprint import Footprint, footprint_of
from web.process import (
    SERVE,
    ServerProcess,
    command_of,
    descendants_of,
    members_of,
    server_process,
)
from web.support import wait_until

BUCKET = "recordings"
GRACE_S = 5
STOP_S = GRACE_S + 25.0
"""All have gone within the grace; a machine that is busy may take longer to notice."""
_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class Stage:
    """One server. `bucket` is None if its storage is a folder."""

    def __init__(
        self,
        folder: Path,
        redis: RedisServer,
        hook: Receiver,
        bucket: SlowProxy | None,
        command: tuple[str, ...],
        environment: dict[str, str],
    ) -> None:
        self.redis = redis
        self.hook = hook
        self.bucket = bucket
        self.temp = folder / "tmp"
        self.temp.mkdir()
        self._storage = Storage(environment["STORAGE_URL"])
        self._command = command
        self._environment = environment
        self._running = ExitStack()
        self._ended = 0.0
        self._is_down = True
        self.server: ServerProcess

    def start(self) -> None:
        """Starts the server, on the same port each time, and waits until it is ready."""
        begun = server_process(*self._command, **self._environment)
        self.server = self._running.enter_context(begun)
        self.wait_until_ready()
        self.api_ends()
        self._is_down = False

    def terminate(self) -> float:
        """Sends SIGTERM, and returns after how many seconds the last of its processes had gone.
        Fails if that takes longer than `STOP_S`. On a busy machine some may be killed for it, which
        loses no job."""
        self._is_down = True
        children = descendants_of(self.server.popen.pid)
        began = time.monotonic()
        self.server.signal(signal.SIGTERM)
        assert self.server.popen.wait(STOP_S) == 0
        wait_until(lambda: not any(map(command_of, children)), "all its processes have gone")
        took_s = time.monotonic() - began
        self.close()
        return took_s

    def close(self) -> None:
        self._is_down = True
        self._running.close()

    def api_ends(self) -> None:
        """Notes that an API process ends now, and with it the connections it has."""
        self._ended = time.monotonic()

    def ended_since(self, moment: float) -> bool:
        return self._is_down or self._ended >= moment

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.server.url}/ready", timeout=30).is_success
        except httpx.TransportError:
            return False

    def wait_until_ready(self, within_s: float = 600.0) -> float:
        """Returns after how many seconds everything was well again."""
        began = time.monotonic()
        while not self.is_ready():
            assert time.monotonic() - began < within_s, f"not ready again after {within_s} s"
            time.sleep(0.2)
        return time.monotonic() - began

    def members(self) -> list[int]:
        """API processes."""
        return list(members_of(self.server.popen.pid).values())

    def running(self, command: str) -> list[int]:
        """Processes of this command of `echostream`; none for a moment after it was killed."""
        return [pid for pid in self.processes() if f"echostream {command}" in command_of(pid)]

    def processes(self) -> list[int]:
        return [self.server.popen.pid, *descendants_of(self.server.popen.pid)]

    async def sweep(self) -> int:
        """Removes what jobs have left in the storage, as workers do every ten minutes with what is
        an hour old. Returns how many files that were."""
        queue = JobQueue("echostream", self.redis.url, retention_s=60)
        try:
            return await sweep(self._storage, queue, older_than_s=0)
        finally:
            await queue.aclose()

    async def staged(self) -> int:
        """How many recordings are in the storage."""
        staged = 0

        async def count(_name: str) -> bool:
            nonlocal staged
            staged += 1
            return True

        async def keep(_name: str) -> bool:
            return True

        await self._storage.sweep(keep_audio=count, keep_result=keep, older_than_s=0)
        return staged

    async def footprint(self) -> Footprint:
        staged = await self.staged()
        return await asyncio.to_thread(footprint_of, self.server.popen.pid, self.temp, staged)


@contextmanager
def staged(
    model: Path,
    folder: Path,
    *,
    with_bucket: bool,
    command: tuple[str, ...] = SERVE,
    **settings: Any,
) -> Iterator[Stage]:
    """A stage with a running server. It has an S3 or, without one, a folder for its storage.
    `command` may be empty, for tests that have it forked."""
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        hook = stack.enter_context(receiver())
        bucket = stack.enter_context(_bucket()) if with_bucket else None
        if bucket:
            point_aws_at(stack.enter_context(pytest.MonkeyPatch.context()), bucket.url)
        environment = {
            "PORT": str(free_port()),
            "ASR_ENGINE": "whisper",
            "WHISPER_MODEL": str(model),
            "WEB_CONCURRENCY": "2",
            "USE_QUEUE": "true",
            "RUN_WORKER": "true",
            "REDIS_URL": redis.url,
            "STORAGE_URL": f"s3://{BUCKET}" if bucket else f"file://{folder / 'data'}",
            "INSIGHTS_PROVIDER": "extractive",
            "ALLOW_PRIVATE_URLS": "true",
            "WEBHOOK_SECRET": _SECRET,
            "SHUTDOWN_GRACE_S": str(GRACE_S),
            "JOB_LOCK_S": "10",
            "JOB_STALLED_CHECK_S": "2",
            "LIVE_RESUME_S": "10",
            "CACHE_TTL_S": "0",
            "TMPDIR": str(folder / "tmp"),
            **{name.upper(): str(value) for name, value in settings.items()},
        }
        stage = Stage(folder, redis, hook, bucket, command, environment)
        stack.callback(stage.close)
        stage.start()
        yield stage


@contextmanager
def _bucket() -> Iterator[SlowProxy]:
    with moto_server() as url, slow_proxy(int(url.rpartition(":")[2])) as proxy:
        with pytest.MonkeyPatch.context() as patch:
            point_aws_at(patch, proxy.url)
            client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        client.close()
        yield proxy


def kill(pids: list[int]) -> None:
    """As a crash does."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
