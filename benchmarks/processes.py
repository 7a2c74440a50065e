"""Measures the cost of `WEB_CONCURRENCY`: the server's memory, start-up and time of one upload.

Servers run as a user starts them, except for the port, the number of processes, and the cache,
which would answer the second upload without any work. Memory is PSS, which counts shared memory
once; it is measured with one server running, after uploads to all of its processes. Upload times
are measured on all servers in turn, while the others are idle.

    WHISPER_MODEL=base python -m benchmarks.processes --processes 1 2 8
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

from benchmarks.runs import SAMPLE, name_of

PROCESSES = (1, 2, 8)
ROUNDS = 5
_UPLOADS_EACH = 2
"""Per process, so that almost certainly each of them gets one."""
_START_S = 120.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. The times are from its start until it listens or has its model."""

    url: str
    pid: int
    listens_s: float
    ready_s: float

    def upload(self, content: bytes) -> float:
        """Uploads a recording and returns the seconds it took."""
        began_s = time.perf_counter()
        files = {"audio": ("talk.wav", content)}
        fields = {"insights": "false"}
        httpx.post(
            f"{self.url}/upload-audio", files=files, data=fields, timeout=600
        ).raise_for_status()
        return time.perf_counter() - began_s


@dataclass(frozen=True, slots=True)
class Measured:
    processes: int
    engine_mib: float
    rest_mib: float
    listens_s: float
    ready_s: float

    @property
    def mib(self) -> float:
        return self.engine_mib + self.rest_mib


def report(model: str, counts: Sequence[int] = PROCESSES, rounds: int = ROUNDS) -> str:
    """Returns a section of Markdown."""
    found = [_measured(model, count) for count in counts]
    times = _upload_times(model, counts, rounds)
    base = times[counts[0]]
    rows = [
        f"| {one.processes} | {one.mib:.0f} | {one.engine_mib:.0f} | {_further(found[0], one)}"
        f" | {one.listens_s:.1f} | {one.ready_s:.1f}"
        f" | {statistics.median(times[one.processes]):.2f}"
        f" | {_ratio(times[one.processes], base):.2f} |"
        for one in found
    ]
    return "\n".join(
        [
            "## API processes\n",
            "`python -m benchmarks.processes`\n",
            f"{name_of(model)}, {os.cpu_count()} cores, all settings but `WEB_CONCURRENCY` and"
            " `CACHE_TTL_S=0` as they are by\ndefault. Memory is PSS of all processes together;"
            f" uploads are of the sample, medians of {rounds}\nrounds, the ratio that of the"
            " rounds to the first row.\n",
            "| processes | MiB | of it the engine | MiB a further process | listens after s"
            " | has its model after s | upload s | ratio |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _further(first: Measured, one: Measured) -> str:
    more = one.processes - first.processes
    return f"{(one.rest_mib - first.rest_mib) / more:.0f}" if more else "–"


def _ratio(times_s: Sequence[float], base_s: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(times_s, base_s, strict=True))


def _measured(model: str, count: int) -> Measured:
    """Measures memory after each process has had work."""
    content = _seconds_of_sample(3)
    with server(model, count) as running:
        for _ in range(_UPLOADS_EACH * count):
            running.upload(content)
        sizes = {pid: pss_mib(pid) for pid in tree(running.pid)}
        engine_mib = sum(mib for pid, mib in sizes.items() if " engine " in _command(pid))
        return Measured(
            count, engine_mib, sum(sizes.values()) - engine_mib, running.listens_s, running.ready_s
        )


def _upload_times(model: str, counts: Sequence[int], rounds: int) -> dict[int, list[float]]:
    content = SAMPLE.read_bytes()
    times: dict[int, list[float]] = {count: [] for count in counts}
    with ExitStack() as stack:
        servers = {count: stack.enter_context(server(model, count)) for count in counts}
        for running in servers.values():
            running.upload(content)  # the first upload allocates memory
        for _ in range(rounds):
            for count, running in servers.items():
                times[count].append(running.upload(content))
    return times


def _seconds_of_sample(seconds: int) -> bytes:
    content = io.BytesIO()
    with wave.open(str(SAMPLE)) as source, wave.open(content, "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(seconds * source.getframerate()))
    return content.getvalue()


@contextmanager
def server(model: str, processes: int) -> Iterator[Server]:
    """Runs a separate server with its model loaded."""
    settings = {
        "PORT": "0",
        "WEB_CONCURRENCY": str(processes),
        "ASR_ENGINE": "whisper",
        "WHISPER_MODEL": model,
        "CACHE_TTL_S": "0",
    }
    began_s = time.perf_counter()
    with subprocess.Popen(
        (sys.executable, "-P", "-m", "echostream", "serve"),
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        reading = threading.Thread(target=process.stderr.read)  # so that it never blocks
        try:
            url = next(json.loads(line)["url"] for line in process.stderr if '"url"' in line)
            listens_s = time.perf_counter() - began_s
            reading.start()
            _wait_until_ready(url)
            yield Server(url, process.pid, listens_s, time.perf_counter() - began_s)
        finally:
            process.terminate()
            process.wait()
            if reading.ident is not None:
                reading.join()


def _wait_until_ready(url: str) -> None:
    deadline_s = time.perf_counter() + _START_S
    while not httpx.get(f"{url}/ready").is_success:
        if time.perf_counter() > deadline_s:
            raise TimeoutError("the model is not loaded")
        time.sleep(0.05)


def tree(pid: int) -> list[int]:
    """Returns a process and all its descendants."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    return [pid, *(one for child in children for one in tree(int(child)))]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def pss_mib(pid: int) -> float:
    """Returns a process's memory in MiB; shared memory counts proportionally."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=os.environ.get("WHISPER_MODEL", "base"))
    parser.add_argument("--processes", type=int, nargs="+", default=PROCESSES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    print(report(args.model, args.processes, args.rounds))


if __name__ == "__main__":
    main()
