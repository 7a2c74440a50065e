"""The port of the API, for one process or for several that share it."""

import mmap
import os
import random
import socket
import sys
import time
from pathlib import Path
from typing import Any

from echostream.settings import Settings

_PATIENCE_S = 0.003
"""How long a connection waits for the process whose turn it is; it may be busy or dead."""


def open_listener(settings: Settings) -> socket.socket:
    """Opens the port; exits with one line on stderr if it is not available."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        sys.exit(f"echostream: cannot listen: {error.strerror}")
    # Connections inherit it. asyncio sets it only on sockets created with TCP's protocol number,
    # unlike this one; without it each answer on a kept-open connection takes 40 ms longer.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class SharedListener(socket.socket):
    """A listening socket shared by several processes; for each connection, one of them is drawn at
    random to accept it.

    By default the first process to wake takes it and all other waiting connections: on an idle
    machine mostly the same process, however busy it is. Strict turns would not work either, since a
    client's connections come in patterns.
    """

    def __init__(self, descriptor: int, number: int, turn: "Turn") -> None:
        super().__init__(fileno=descriptor)
        self._number = number
        self._turn = turn
        self._seen = -1
        self._since_s = 0.0

    def accept(self) -> tuple[socket.socket, Any]:
        """Returns the next connection. Raises BlockingIOError if there is none, or none for us."""
        draw, drawn = self._turn.read()
        now_s = time.monotonic()
        if draw != self._seen:
            self._seen, self._since_s = draw, now_s
        if drawn != self._number and now_s - self._since_s < _PATIENCE_S:
            raise BlockingIOError  # the event loop asks again until it is taken
        accepted = super().accept()
        self._turn.pass_on()
        return accepted


class Turn:
    """Says which of `processes` should accept next, in memory they share. Two writes at once do no
    harm: it is only a hint."""

    def __init__(self, file: Path, processes: int) -> None:
        self._processes = processes
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, mmap.PAGESIZE)
            self._memory = mmap.mmap(descriptor, mmap.PAGESIZE)
        finally:
            os.close(descriptor)

    def read(self) -> tuple[int, int]:
        """Returns the number of the draw, and the number of the process drawn."""
        value = int.from_bytes(self._memory[:8], "little")
        return value, value % self._processes

    def pass_on(self) -> None:
        drawn = random.randrange(self._processes)  # noqa: S311 - no secret
        draws = int.from_bytes(self._memory[:8], "little") // self._processes + 1
        value = (draws * self._processes + drawn) % 2**63
        self._memory[:8] = value.to_bytes(8, "little")
