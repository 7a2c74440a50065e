"""A real Redis on a free port, that tests can stop, kill, start again and freeze."""

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

_START_S = 30.0


class RedisServer:
    """Set up as EchoStream wants it: an append-only file, nothing evicted. A context manager.

    The port and the data stay the same over `stop()` and `start()`. Blocking; the process is ours
    and never outlives the `with` block.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        # Between looking for a free port and listening on it another process may take it.
        for _ in range(5):
            self.port = _free_port()
            if self._launch():
                return self
        self._folder.cleanup()
        raise RuntimeError("redis-server does not start")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start again after `stop()`, on the same port with the same data."""
        if self._process is None and not self._launch():
            raise RuntimeError("redis-server does not start again")

    def stop(self) -> None:
        """End the process, which first writes out what it was told; also from a pause."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End the process as a crash does; `start()` has what it had written."""
        self._running().kill()
        self._running().wait()
        self._process = None

    def pause(self) -> None:
        """Freeze: connections are still accepted, by the kernel, and nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def flush(self) -> None:
        """Forget everything."""
        assert self._ask(b"FLUSHALL\r\n") == b"+OK\r\n"

    @contextmanager
    def without_memory(self) -> Iterator[None]:
        """Every command that writes is refused meanwhile."""
        self.configure("maxmemory", "1")
        try:
            yield
        finally:
            self.configure("maxmemory", "0")

    def configure(self, name: str, value: str) -> None:
        """Change a setting; an empty value is one too."""
        assert self._ask(f'CONFIG SET {name} "{value}"\r\n'.encode()) == b"+OK\r\n"

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server is stopped"
        return self._process

    def _launch(self) -> bool:
        """Whether a server now answers on the port."""
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
        command += ["--dir", self._folder.name, "--logfile", str(Path(self._folder.name) / "log")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.02)  # there is nothing to wait for but the port
        self.stop()
        return False

    def _answers(self) -> bool:
        try:
            return self._ask(b"PING\r\n") == b"+PONG\r\n"  # -LOADING while it reads its data
        except OSError:
            return False

    def _ask(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(command)
            return connection.recv(64)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
