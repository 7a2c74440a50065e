"""Starts Python programs in forks of a process that has imported EchoStream already, since imports
are most of what it costs to start one.

A program runs as its command would run it: with its own arguments, environment, streams and signal
handlers, and without pytest. Tests of the start itself, of memory and of what the command is called
start it with `subprocess`.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

PRELOADED = (
    "echostream.cli",
    "echostream.live_client",
    "echostream.show",
    "echostream.web.cluster",
    "echostream.web.server",
    "echostream.worker.main",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.h11_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
)
FOR_STREAMLIT = ("echostream_ui.services", "pandas", "streamlit.web.bootstrap")
"""Imported before the first fork that is a frontend; most processes never have one."""
_REQUEST_BYTES = 200_000
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Forked:
    """As much of `subprocess.Popen` as tests need, for a process that is no child of ours."""

    def __init__(self, command: Sequence[str], answers: socket.socket) -> None:
        self.args = command
        self.returncode: int | None = None
        self._answers = answers.makefile("rb")
        answers.close()
        pid = self._answers.readline()
        assert pid, "the process that forks others has ended"
        self.pid = int(pid)

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._ended(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._answers], [], [], timeout)[0]:
            self.returncode = int(self._answers.readline())
            self._answers.close()
        return self.returncode


def start(
    command: Sequence[str],
    env: Mapping[str, str],
    *,
    cwd: Path | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> Forked:
    """Starts `command`, which is `-m` and a module, or a script, and its arguments. Streams that
    are None are /dev/null."""
    ours, theirs = socket.socketpair()
    request = json.dumps([list(command), dict(env), str(cwd or Path.cwd())]).encode()
    with theirs, open(os.devnull, "r+b", buffering=0) as null:
        streams = [null.fileno() if one is None else one for one in (stdin, stdout, stderr)]
        socket.send_fds(_parent(), [request], [theirs.fileno(), *streams])
    return Forked(command, ours)


def run(
    command: Sequence[str], env: Mapping[str, str], *, timeout: float = 120
) -> subprocess.CompletedProcess[bytes]:
    """As `subprocess.run` with `capture_output`."""
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        process = start(command, env, stdout=stdout.fileno(), stderr=stderr.fileno())
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
        said = [stream.read() for stream in (stdout, stderr) if stream.seek(0) == 0]
    return subprocess.CompletedProcess(command, status, *said)


@functools.cache
def _parent() -> socket.socket:
    """The connection to the process that forks, which ends when this one does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-P", str(Path(__file__).resolve())]
        # It goes on in a child of its own, so it is none of the children that tests count.
        subprocess.run(command, stdin=theirs, stdout=subprocess.DEVNULL, check=True)
    atexit.register(ours.close)
    return ours


def _fork_for(requests: socket.socket) -> list[str] | None:
    """Forks for each request until there are no more. Returns the command in each new process."""
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for ready in select.select([requests, *running], [], [])[0]:
            if ready is not requests:
                _tell_end(*running.pop(ready))
                os.close(ready)
                continue
            message, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 4)
            if not message:
                return None
            answers = socket.socket(fileno=descriptors[0])
            command, env, cwd = json.loads(message)
            if "streamlit" in command:
                _preload(FOR_STREAMLIT)
            pid = os.fork()
            if not pid:
                for descriptor, (_, other) in running.items():
                    os.close(descriptor)
                    other.close()
                return _begin(answers, descriptors[1:], command, env, cwd)
            for descriptor in descriptors[1:]:
                os.close(descriptor)
            running[os.pidfd_open(pid)] = (pid, answers)


def _tell_end(pid: int, answers: socket.socket) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with answers, suppress(BrokenPipeError):  # the test did not wait for it
        answers.sendall(b"%d\n" % status)


def _begin(
    answers: socket.socket, streams: list[int], command: list[str], env: dict[str, str], cwd: str
) -> list[str]:
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    with answers:
        answers.sendall(b"%d\n" % os.getpid())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    return command


def _main() -> list[str] | None:
    requests = socket.socket(fileno=os.dup(0))
    if os.fork():
        os._exit(0)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    _preload(PRELOADED)
    with requests:
        return _fork_for(requests)


def _preload(names: Sequence[str]) -> None:
    if all(name in sys.modules for name in names):
        return
    for name in names:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _run(command: list[str]) -> None:
    """As `python` itself does with these arguments."""
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        sys.path[0:0] = [str(Path(command[0]).parent)]
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__" and (command := _main()):
    _run(command)
