"""`python -m echostream serve` as a process of its own, and a look at what it leaves."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import forks
from processes import children
from web.support import WAIT_S, wait_until

MEMBER = re.compile(r"echostream-(\d+)")
Process = forks.Forked | subprocess.Popen[bytes]
SERVE = (sys.executable, "-m", "echostream", "serve")


@dataclass
class ServerProcess:
    """A running server. `log` grows by a line of its stderr at a time."""

    popen: Process
    url: str = ""
    log: list[str] = field(default_factory=list)

    def wait_for_engines(self, count: int) -> None:
        """Until that many pocketsphinx children are at work."""
        wait_until(lambda: len(self.engines()) == count, f"{count} engines run")

    def engines(self) -> list[int]:
        return [pid for pid in descendants_of(self.popen.pid) if "sphinx_child" in command_of(pid)]

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def exit_status(self) -> int:
        return self.popen.wait(WAIT_S)


@contextmanager
def server_process(*command: str, **environment: str) -> Iterator[ServerProcess]:
    """Start a server with pocketsphinx on a free port; kill it on leaving if it still runs. With
    `command` it is started by that, else by `forks`."""
    settings = {"ASR_ENGINE": "pocketsphinx", "PORT": "0", **environment}
    read, write = os.pipe()
    with os.fdopen(read) as log:
        with os.fdopen(write):
            popen = _start(command, {**os.environ, **settings}, write)
        server = ServerProcess(popen)
        reader = threading.Thread(target=server.log.extend, args=(log,))
        try:
            server.url = _url_told(log)
            reader.start()
            yield server
        finally:
            popen.kill()
            popen.wait()
            if reader.ident is not None:
                reader.join(WAIT_S)  # all processes that write to it have ended then
            print("".join(server.log))  # shown if the test fails


def _start(command: tuple[str, ...], env: dict[str, str], stderr: int) -> Process:
    if not command:
        return forks.start(SERVE[1:], env, stderr=stderr)
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=stderr)


def _url_told(log: TextIO) -> str:
    """Reads up to the line that tells where the server listens."""
    for line in log:
        if (said := json.loads(line))["event"] == "listening":
            return str(said["url"])
    raise AssertionError("the server ended before it listened")


def descendants_of(pid: int) -> list[int]:
    """Its children, theirs, and so on."""
    with suppress(OSError):  # any of them may end as we look
        return [one for child in children(pid) for one in (child, *descendants_of(child))]
    return []


def command_of(pid: int) -> str:
    """Its command line, empty once it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def engine_of(server: ServerProcess) -> int:
    """The id of the process with the speech engine."""
    [pid] = [
        pid for pid in descendants_of(server.popen.pid) if "echostream engine" in command_of(pid)
    ]
    return pid


def members_of(pid: int) -> dict[int, int]:
    """The id of each API process by its number, where a server has several."""
    found = {one: MEMBER.fullmatch(_name_of(one)) for one in descendants_of(pid)}
    return {int(match[1]): one for one, match in found.items() if match}


def _name_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def private_mb(pid: int) -> float:
    """Memory that a process shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = (line.split() for line in lines if line.startswith("Private_"))
    return sum(int(size) for _name, size, _unit in sizes) / 1024


@contextmanager
def watched(pids: list[int]) -> Iterator[list[int]]:
    """File descriptors that become readable when these processes end."""
    opened = [os.pidfd_open(pid) for pid in pids]
    try:
        yield opened
    finally:
        for descriptor in opened:
            os.close(descriptor)


def assert_they_end(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        ended, _, _ = select.select([descriptor], [], [], WAIT_S)
        assert ended, "a child process outlives its server"
