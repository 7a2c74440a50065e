"""Measures the job queue: time beyond the work itself, jobs per second, and pickup latency.

It starts its own redis-server, with an append-only file, on a free port.

    python -m benchmarks.queue
"""

import argparse
import asyncio
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from echostream.jobs import JobQueue, new_job_id
from echostream.jobs.active import ActiveJob, JobEnd
from echostream.jobs.worker import Handler, JobWorker, WorkerOptions

CONCURRENCY = 2
WORK_S = 0.5


def report(*, jobs: int = 200, empty: int = 2000, pickups: int = 100) -> str:
    """Returns a section of Markdown."""
    with redis_server() as url:
        overhead = asyncio.run(_overhead(url, jobs))
        rate = asyncio.run(_rate(url, empty))
        latencies = asyncio.run(_latencies(url, pickups))
    p50, p95 = statistics.median(latencies), statistics.quantiles(latencies, n=20)[18]
    return "\n".join(
        [
            "## Queue\n",
            "`python -m benchmarks.queue`\n",
            f"One worker process, {CONCURRENCY} jobs at once, Redis with append-only file.\n",
            "| measure | value |",
            "|---|---|",
            f"| overhead on {jobs} jobs of {WORK_S} s | {overhead:.1%} |",
            f"| empty jobs | {rate:.0f} a second |",
            f"| pickup latency, p50 | {p50 * 1e3:.1f} ms |",
            f"| pickup latency, p95 | {p95 * 1e3:.1f} ms |",
            "",
        ]
    )


async def _overhead(url: str, jobs: int) -> float:
    """Returns the share of time beyond the pure work, with all jobs already in the queue."""

    async def work(_job: ActiveJob) -> dict[str, Any]:
        await asyncio.sleep(WORK_S)
        return {}

    took_s = await _run(url, work, jobs)
    pure_s = jobs * WORK_S / CONCURRENCY
    return took_s / pure_s - 1


async def _rate(url: str, jobs: int) -> float:
    async def nothing(_job: ActiveJob) -> dict[str, Any]:
        return {}

    return jobs / await _run(url, nothing, jobs)


async def _run(url: str, handler: Handler, jobs: int) -> float:
    """Returns the seconds from the worker's start until the last job has ended."""
    queue = JobQueue(new_job_id(), url, retention_s=60)
    for _ in range(jobs):
        await queue.add(new_job_id(), "bench", {})
    left = jobs
    done = asyncio.Event()

    async def count(_end: JobEnd) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    started = time.perf_counter()
    async with _worker(queue, url, handler, count):
        await done.wait()
        return time.perf_counter() - started


async def _latencies(url: str, jobs: int) -> list[float]:
    """Returns the seconds from adding a job to its handler's start, one job at a time."""
    queue = JobQueue(new_job_id(), url, retention_s=60)
    started: asyncio.Queue[float] = asyncio.Queue()

    async def note(_job: ActiveJob) -> dict[str, Any]:
        started.put_nowait(time.perf_counter())
        return {}

    async def ignore(_end: JobEnd) -> None:
        pass

    found: list[float] = []
    async with _worker(queue, url, note, ignore):
        for _ in range(jobs):
            await asyncio.sleep(0.05)  # until the worker is waiting again
            added = time.perf_counter()
            await queue.add(new_job_id(), "bench", {})
            found.append(await started.get() - added)
    return found


@asynccontextmanager
async def _worker(queue: JobQueue, url: str, handler: Handler, on_end: Any) -> AsyncIterator[None]:
    worker = JobWorker(queue, url, handler, WorkerOptions(CONCURRENCY), on_end=on_end)
    running = asyncio.create_task(worker.run())
    yield
    await worker.close(5)
    await running
    await queue.aclose()


@contextmanager
def redis_server() -> Iterator[str]:
    """Runs a redis-server with the settings that BullMQ needs, in a temporary folder."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        options = ["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
        with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL) as process:
            client = Redis(port=port)
            while not _answers(client):
                time.sleep(0.02)
            yield f"redis://127.0.0.1:{port}"
            client.close()
            process.terminate()


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisConnectionError:
        return False


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(report())


if __name__ == "__main__":
    main()
