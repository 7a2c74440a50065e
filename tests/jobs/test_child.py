"""The worker that the API keeps beside it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from echostream.children import WorkerChild
from jobs.place import SOURCES, TIMED_WORKER, Jobs, Place, until
from processes import children

COMMAND = (sys.executable, str(TIMED_WORKER), "--lifeline")

# Keeps a worker, as the API does, and tells its id.
PARENT = f"""
import asyncio
from echostream.children import WorkerChild

async def main():
    child = WorkerChild({COMMAND!r})
    child.start()
    while child.process is None:
        await asyncio.sleep(0.01)
    print(child.process.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def inherited(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place whose settings are in the environment, which a child inherits."""
    for name, value in place.settings(segment_s=0.1, shutdown_grace_s=4).items():
        monkeypatch.setenv(name, value)
    return place


@pytest.fixture
async def child(inherited: Place) -> AsyncIterator[WorkerChild]:
    found = WorkerChild(COMMAND)
    found.start()
    yield found
    await found.aclose()


def pid_of(child: WorkerChild) -> int:
    return child.process.pid if child.process else 0


async def test_is_started_again_when_it_dies_and_stopped_at_the_end(
    jobs: Jobs, child: WorkerChild
) -> None:
    job_id = await jobs.add(seconds=20)
    await jobs.begun("transcribing")
    first = pid_of(child)

    os.kill(first, signal.SIGKILL)
    killed = time.monotonic()
    assert (await jobs.ended(job_id)).state == "completed"
    second = pid_of(child)
    assert second != first
    assert time.monotonic() - killed < 20
    assert {event.pid for event in jobs.place.events("transcribing")} == {first, second}

    # Busy when it is stopped: the job is handed back.
    long = await jobs.add(seconds=600, prompt="long")
    await jobs.begun("transcribing", "long")
    stopping = time.monotonic()
    await child.aclose()
    assert time.monotonic() - stopping < 4 + 2
    assert child.process is not None
    assert child.process.returncode == 0
    assert (await jobs.status(long)).state in ("waiting", "delayed")
    assert second not in children()


async def test_poison_is_given_up_and_good_jobs_go_on(jobs: Jobs, child: WorkerChild) -> None:
    poison = await jobs.add(prompt="poison")
    await jobs.begun("transcribing", "poison")
    good = await jobs.add()

    status = await jobs.ended(poison, 60)
    assert (status.state, status.error) == ("failed", "job_stalled")
    assert status.message
    assert (await jobs.ended(good)).state == "completed"
    assert await jobs.text(good) == "word0"
    pids = [event.pid for event in jobs.place.events("transcribing", "poison")]
    assert len(pids) == len(set(pids)) == 2
    assert pid_of(child) not in pids


@pytest.mark.parametrize("moment", ["at once", "while it starts", "while it pauses"])
async def test_stopping_leaves_no_process(inherited: Place, moment: str) -> None:
    before = children()
    command = (sys.executable, "-c", "pass") if moment == "while it pauses" else COMMAND
    child = WorkerChild(command)
    child.start()
    if moment != "at once":
        await until(lambda: child.process)
    if moment == "while it pauses":
        assert child.process is not None
        await child.process.wait()
    await asyncio.wait_for(child.aclose(), 10)
    assert children() == before
    await child.aclose()  # again does no harm


async def test_stopping_one_that_was_never_started() -> None:
    await WorkerChild().aclose()


async def test_the_worker_ends_with_its_lifeline(jobs: Jobs) -> None:
    worker = jobs.place.worker(lifeline=True, segment_s=0.1, shutdown_grace_s=4)
    job_id = await jobs.add(seconds=600)
    await jobs.begun("transcribing")
    worker.cut_lifeline()
    assert await worker.ended() == 0
    assert (await jobs.status(job_id)).state in ("waiting", "delayed")


@pytest.fixture
def parent(inherited: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    monkeypatch.setenv("PYTHONPATH", str(SOURCES))
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process:
        yield process
        process.kill()


async def test_the_worker_ends_when_its_parent_is_killed(
    jobs: Jobs, parent: subprocess.Popen[str]
) -> None:
    assert parent.stdout is not None
    pid = int(await asyncio.to_thread(parent.stdout.readline))
    await jobs.workers_idle()

    parent.kill()

    try:
        await until(lambda: _is_gone(pid), 20)
    finally:
        if not _is_gone(pid):
            os.kill(pid, signal.SIGKILL)


def _is_gone(pid: int) -> bool:
    """Ended, be it a zombie where the first process of a container does not collect orphans."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
