"""One of several API processes on a port. `cluster.py` starts it and looks after it."""

import os
import shutil
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import structlog

from echostream.engine.client import RemoteEngine
from echostream.engine.process import SOCKET
from echostream.errors import EchoStreamError
from echostream.lifeline import on_parent_end
from echostream.pipeline import build_pipeline
from echostream.settings import Settings
from echostream.web.app import create_app
from echostream.web.cluster import IMPOSSIBLE, UP, stop_s
from echostream.web.listener import SharedListener, Turn
from echostream.web.peers import Peers
from echostream.web.server import Server


def serve(settings: Settings, number: int, folder: Path, descriptor: int) -> None:
    """Serve on the socket `descriptor` until a signal, or until the parent is gone. Exits with
    IMPOSSIBLE for settings that do not fit together, the reason told to the parent."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as in server.serve
    orphaned = threading.Event()
    on_parent_end(lambda: _end(orphaned, stop_s(settings)))
    peers = Peers(folder, number)
    structlog.contextvars.bind_contextvars(process=number)
    try:
        with suppress(KeyboardInterrupt):
            turn = Turn(folder / "turn", settings.web_concurrency)
            # The worker is the parent's.
            ours = settings.model_copy(update={"run_worker": False})
            _serve(ours, peers, SharedListener(descriptor, number, turn))
    finally:
        peers.socket_path(number).unlink(missing_ok=True)
        if orphaned.is_set():
            shutil.rmtree(folder, ignore_errors=True)


def _serve(settings: Settings, peers: Peers, listener: socket.socket) -> None:
    try:
        pipeline = build_pipeline(settings, RemoteEngine(peers.folder / SOCKET))
    except EchoStreamError as error:
        _report(str(error))
        sys.exit(IMPOSSIBLE)
    app = create_app(settings, lambda _settings: pipeline, peers)
    Server(app, settings, on_up=lambda: _report(UP)).run([listener, peers.listen()])


def _report(line: str) -> None:
    """Tell the parent, which reads our stdout for this one line."""
    os.write(1, f"{line}\n".encode())
    os.dup2(2, 1)


def _end(orphaned: threading.Event, within_s: float) -> None:
    """Stop as on SIGTERM. Nobody is left who would kill us if we hang."""
    orphaned.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(within_s)
    os._exit(1)
