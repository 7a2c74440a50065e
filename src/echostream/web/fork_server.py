"""The process that API processes are forked from. It has imported everything they need, and they
share that memory until they write to it.

It runs no thread and no event loop, as neither survives a fork. To get a process, a client connects
to its socket and writes the number of the new process. The connection becomes stdin and stdout of
the new process; the last line in it is the exit status of that process.
"""

import asyncio
import gc
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from echostream.children import ECHOSTREAM, Program, Running

log = structlog.get_logger(__name__)

OnSaid = Callable[[str], None]

_SOCKET = "fork"
_ENDED = "ended"
_UNKNOWN = 1
"""Status of a process that outlived the fork server; only the fork server could have read it."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NUMBER_BYTES = 16


class ForkServer(Program):
    """Keeps the fork server alive and gets processes from it. Create it in a running event loop."""

    what = "fork_server"

    def __init__(self, folder: Path, port: socket.socket, is_final: Callable[[int], bool]) -> None:
        """`port` is the API's listening socket, on which all processes accept. `is_final` says
        whether an exit status forbids a restart."""
        self._is_final = is_final
        self._path = folder / _SOCKET
        # We hold it, so that requests wait while the fork server starts or restarts.
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        passed = (self._listener.fileno(), port.fileno())
        command = (*ECHOSTREAM, "members", str(folder), *map(str, passed))
        # A group of its own, so that Ctrl-C in a terminal does not reach the processes twice: from
        # the terminal and from us.
        super().__init__(command, process_group=0, stdout=2, pass_fds=passed)

    async def fork(self, number: int, on_said: OnSaid) -> "Forked":
        """Starts process `number`; `on_said` is called with each line it writes to stdout. Raises
        OSError if that fails."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            writer.write(str(number).encode())
            pid = await reader.readline()
            if not pid:
                raise ChildProcessError("the fork server has ended, or cannot fork")
        except BaseException:
            writer.close()
            raise
        return Forked(int(pid), reader, writer, on_said)

    async def aclose(self) -> None:
        self._listener.close()
        await super().aclose()

    def _is_over(self, status: int) -> bool:
        return self._is_final(status)

    def _ask_to_end(self, process: Running) -> None:
        # It has nothing to finish, and keeps the port open while it lives.
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)


class Forked:
    """A process from the fork server; a `Child` looks after it."""

    def __init__(
        self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, on_said: OnSaid
    ) -> None:
        self.pid = pid
        self.stdin = writer
        self.returncode: int | None = None
        self._ending = asyncio.create_task(self._read(reader, on_said))

    async def wait(self) -> int:
        return await asyncio.shield(self._ending)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    async def _read(self, reader: asyncio.StreamReader, on_said: OnSaid) -> int:
        status = _UNKNOWN
        with suppress(OSError):
            async for line in reader:
                word, _, rest = (text := line.decode().strip()).partition(" ")
                if word == _ENDED:
                    status = int(rest)
                else:
                    on_said(text)
        self.returncode = status
        return status


@dataclass(frozen=True, slots=True)
class _Watched:
    """A forked process, as the fork server sees it. `end` is a pipe that closes when it ends."""

    pid: int
    end: int
    connection: socket.socket

    def tell_end(self) -> None:
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        with suppress(OSError):  # the client that asked for it may be gone
            self.connection.sendall(f"{_ENDED} {status}\n".encode())
        self.close()

    def close(self) -> None:
        os.close(self.end)
        self.connection.close()


def serve(descriptor: int) -> int | None:
    """Forks a process for each client of the socket `descriptor`, until stdin ends.

    In each new process, this returns the process number and the process goes on from there. In the
    fork server itself it returns None at the end.
    """
    # The fork server ignores signals. A new process gets its signals once it is ready for them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    gc.collect()
    gc.freeze()  # else the collector would write to all of this memory, in each process
    watched: dict[int, _Watched] = {}
    with socket.socket(fileno=descriptor) as listener:
        while True:
            ready, _, _ = select.select([0, descriptor, *watched], [], [])
            if 0 in ready:
                return None
            for end in watched.keys() & ready:
                watched.pop(end).tell_end()
            if descriptor in ready and (number := _fork(listener.accept()[0], watched)) is not None:
                return number


def _fork(connection: socket.socket, watched: dict[int, _Watched]) -> int | None:
    """Forks the requested process. Returns its number in the new process, None in this one."""
    number = connection.recv(_NUMBER_BYTES)
    if not number:  # the client has given up
        connection.close()
        return None
    end, held = os.pipe()  # the new process never closes `held`
    try:
        pid = os.fork()
    except OSError as error:  # the machine has no room for it; the client will ask again
        log.error("fork_failed", reason=error.strerror)
        os.close(held)
        _Watched(0, end, connection).close()
        return None
    if pid:
        os.close(held)
        watched[end] = _Watched(pid, end, connection)
        return None
    for one in watched.values():
        one.close()
    os.close(end)
    _begin(connection, int(number))
    return int(number)


def _begin(connection: socket.socket, number: int) -> None:
    """Makes a new process independent of the fork server."""
    for descriptor in (0, 1):
        os.dup2(connection.fileno(), descriptor)
    connection.close()
    with suppress(OSError):  # the client may be gone; then our stdin ends
        os.write(1, f"{os.getpid()}\n".encode())
    with suppress(OSError):  # what `top` shows, on Linux
        Path("/proc/self/comm").write_text(name_of(number), encoding="ascii")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def name_of(number: int) -> str:
    """The name of a process in `top` and similar tools; its command is that of the fork server."""
    return f"echostream-{number}"
