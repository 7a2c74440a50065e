"""Real worker processes on a real Redis and a real folder, and what tests do with them."""

import asyncio
import functools
import inspect
import io
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import time
import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2 as httpx
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

import echostream
import forks
from echostream.jobs import JobQueue, JobStatus, new_job_id
from echostream.options import JobData
from echostream.results import StoredResult
from echostream.storage import Storage

TIMED_WORKER = Path(__file__).parent / "timed_worker.py"
SOURCES = Path(echostream.__file__).parent.parent
KEEPS_AUDIO = ("process_failed", "job_timeout", "job_stalled", "storage_unavailable")
"""Failures after which a job may be tried again."""
LOCK_S = 3.0
"""Short, so that lost jobs come back soon, yet longer than a busy machine holds a loop up."""


async def until(
    look: Callable[[], Any], timeout_s: float = 40.0, *, every_s: float = 0.02, what: str = ""
) -> Any:
    """What `look` gives as soon as that is true; fails when it is not within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"{what or 'it'} did not happen in {timeout_s} s"
        await asyncio.sleep(every_s)


@functools.cache
def wav(seconds: int) -> bytes:
    """Silence, in which the timed engine finds a word for each second."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(32_000 * seconds))
    return content.getvalue()


def words(seconds: int) -> str:
    """What the timed engine says of so many seconds."""
    return " ".join(f"word{number}" for number in range(seconds))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def metrics(port: int) -> dict[str, float]:
    """Samples by name, and by label value where there is one; none while no worker listens."""
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    except httpx.ConnectError:
        return {}
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = "".join(f"{{{value}}}" for value in sample.labels.values())
            found[sample.name + label] = sample.value
    return found


class WorkerProcess:
    """`timed_worker.py` as a process of its own, with a log in JSON lines. With `lifeline` it also
    ends when that is cut."""

    def __init__(self, environment: dict[str, str], log: Path, *, lifeline: bool = False) -> None:
        self._log = log
        self.is_told = False
        """Whether its end was asked for."""
        command = [str(TIMED_WORKER), *(["--lifeline"] if lifeline else [])]
        read, self._lifeline = os.pipe()
        with open(read), log.open("wb") as stream:
            stdin = read if lifeline else None
            self._process = forks.start(command, environment, stdin=stdin, stderr=stream.fileno())

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash would."""
        self.is_told = True
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        self.is_told = True
        self._process.send_signal(number)

    def cut_lifeline(self) -> None:
        self.is_told = True
        os.close(self._lifeline)
        self._lifeline = -1

    async def ended(self, timeout_s: float = 20.0) -> int:
        """The exit status, once it has ended."""
        await until(lambda: not self.is_alive, timeout_s, what=f"end of worker {self.pid}")
        return self._process.wait()

    def logs(self) -> list[dict[str, Any]]:
        lines = self._log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def stop(self) -> None:
        """For fixtures: leaves nothing behind, whatever state it is in."""
        if self.is_alive:
            self.kill()
        if self._lifeline >= 0:
            os.close(self._lifeline)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a worker has begun to do."""

    what: str
    pid: int
    at_s: float
    prompt: str


class Place:
    """A queue's name, a folder for its files, and the workers there. A context manager that leaves
    no worker behind."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self.redis_url = redis_url
        self.folder = folder
        self.queue_name = f"jobs-{secrets.token_hex(4)}"
        self.hold_decoding = folder / "hold"
        self._events = folder / "events"
        self._events.touch()
        self._decoding = folder / "decoding"
        self._decoding.mkdir()
        self._workers: list[WorkerProcess] = []
        self._wrap_ffmpeg()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.stop()

    @property
    def storage_url(self) -> str:
        return f"file://{self.folder / 'data'}"

    def settings(self, **more: object) -> dict[str, str]:
        """Environment of a worker here; `more` are settings by their names in lower case."""
        path = os.environ["PATH"]
        chosen = {
            "path": f"{self.folder / 'bin'}:{path}",
            "pythonpath": SOURCES,
            "redis_url": self.redis_url,
            "queue_name": self.queue_name,
            "storage_url": self.storage_url,
            "insights_provider": "none",
            "job_lock_s": LOCK_S,
            "job_stalled_check_s": 0.5,
            "events": self._events,
            **more,
        }
        return {name.upper(): str(value) for name, value in chosen.items()}

    def worker(self, *, lifeline: bool = False, **settings: object) -> WorkerProcess:
        """Start one."""
        log = self.folder / f"worker-{len(self._workers)}.log"
        worker = WorkerProcess(self.settings(**settings), log, lifeline=lifeline)
        self._workers.append(worker)
        return worker

    def expect_alive(self) -> None:
        """Fail with the log of a worker that has ended by itself."""
        for worker in self._workers:
            assert worker.is_alive or worker.is_told, worker.logs()

    def worker_of(self, pid: int) -> WorkerProcess:
        return next(worker for worker in self._workers if worker.pid == pid)

    def events(self, what: str, prompt: str = "") -> list[Event]:
        """What has begun so far: `decoding`, `transcribing` or `analysing`; only that of the jobs
        with this prompt where one is given, and all else has none."""
        found = []
        decoding = (f"decoding {each.name} " for each in self._decoding.iterdir())
        for line in [*decoding, *self._events.read_text().splitlines()]:
            kind, pid, at_s, said = line.split(" ", 3)
            if kind == what and said == (prompt or said):
                found.append(Event(kind, int(pid), float(at_s), said))
        return sorted(found, key=lambda event: event.at_s)

    def staged(self) -> list[str]:
        return self._names("staged")

    def results(self) -> list[str]:
        return self._names("results")

    def _names(self, folder: str) -> list[str]:
        """Without what a kill has left half-written, which nobody reads and the sweep removes."""
        return sorted(path.name for path in (self.folder / "data" / folder).glob("[!.]*"))

    def _wrap_ffmpeg(self) -> None:
        """An ffmpeg that says when it begins, and begins when nothing holds it."""
        script = self.folder / "bin" / "ffmpeg"
        script.parent.mkdir()
        script.write_text(
            f"#!{sys.executable} -IS\n"
            "import os, sys, time\n"
            # The name says it all, since what starts as ffmpeg may not write to files.
            f"open(f'{self._decoding}/{{os.getppid()}} {{time.time()}}', 'w').close()\n"
            f"while os.path.exists({str(self.hold_decoding)!r}):\n"
            "    time.sleep(0.02)\n"
            f"os.execv({shutil.which('ffmpeg')!r}, sys.argv)\n"
        )
        script.chmod(0o755)


class Jobs:
    """The API's side of a place: adds jobs as it does, and looks at them."""

    def __init__(self, place: Place, *, retention_s: int = 3600) -> None:
        self.place = place
        self.queue = JobQueue(place.queue_name, place.redis_url, retention_s=retention_s)
        self.storage = Storage(place.storage_url)
        self._redis = Redis.from_url(place.redis_url, decode_responses=True)

    async def add(
        self,
        *,
        seconds: int = 1,
        prompt: str | None = None,
        audio: bytes | None = None,
        insights: bool = False,
        attempts: int = 3,
    ) -> str:
        """Stage audio and add a job, as `web/jobs.py` does."""
        job_id = new_job_id()
        await self.storage.stage(job_id, io.BytesIO(wav(seconds) if audio is None else audio))
        data = JobData(audio=job_id, prompt=prompt, insights=insights)
        await self.add_data(job_id, data.model_dump(by_alias=True, exclude_none=True), attempts)
        return job_id

    async def add_data(self, job_id: str, data: dict[str, Any], attempts: int = 3) -> None:
        await self.queue.add(job_id, "transcribe", data, attempts=attempts)

    async def status(self, job_id: str) -> JobStatus:
        return await self.queue.status(job_id)

    async def reached(self, job_id: str, *states: str, timeout_s: float = 40.0) -> JobStatus:
        """The job, once it is in one of these states."""

        async def look() -> JobStatus | None:
            status = await self.status(job_id)
            return status if status.state in states else None

        return await until(look, timeout_s, what=f"{states} of {job_id}")

    async def ended(self, job_id: str, timeout_s: float = 40.0) -> JobStatus:
        """The job, once it has ended and its audio is gone, if it is not kept."""
        status = await self.reached(job_id, "completed", "failed", timeout_s=timeout_s)
        if status.error in KEEPS_AUDIO:
            assert await self.storage.is_staged(job_id) == ("audio" in status.data)
            return status
        await until(lambda: job_id not in self.place.staged(), 5, what="removal of the audio")
        return status

    async def begun(self, what: str, prompt: str = "", timeout_s: float = 40.0) -> Event:
        """The newest event of the kind, once there is one."""
        found = await until(lambda: self.place.events(what, prompt), timeout_s, what=what)
        return found[-1]

    async def more_begun(self, what: str, before: int, timeout_s: float = 40.0) -> Event:
        """The newest event of the kind, once there are more than before."""

        def look() -> Event | None:
            found = self.place.events(what)
            return found[-1] if len(found) > before else None

        return await until(look, timeout_s, what=what)

    async def text(self, job_id: str) -> str:
        stored = StoredResult.load(await self.storage.read_result(job_id) or b"")
        assert stored is not None
        return stored.transcript.text

    async def stalls(self, job_id: str) -> int:
        """How often the job has lost its worker."""
        return int(await self._field(job_id, "stc") or 0)

    async def starts(self, job_id: str) -> int:
        """How often a worker has taken the job."""
        return int(await self._field(job_id, "ats") or 0)

    async def idle_workers(self) -> int:
        """How many wait for a job."""
        clients = await self._redis.client_list()
        ours = f"bull:{self.place.queue_name}"
        return sum(each["name"] == ours and each["cmd"] == "bzpopmin" for each in clients)

    async def workers_idle(self, count: int = 1, timeout_s: float = 40.0) -> None:
        async def look() -> bool:
            self.place.expect_alive()
            return await self.idle_workers() >= count

        await until(look, timeout_s, what=f"{count} idle workers")

    async def aclose(self) -> None:
        await self.queue.aclose()
        await self._redis.aclose()

    async def _field(self, job_id: str, name: str) -> str | None:
        found: Awaitable[str | None] = self._redis.hget(
            f"bull:{self.place.queue_name}:{job_id}", name
        )
        return await found
