"""One of several API processes on a port, and the process they are forked from. `cluster.py` starts
them and looks after them."""

import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

import structlog

from echostream.building import build_pipeline
from echostream.engine.client import RemoteEngine
from echostream.engine.process import SOCKET
from echostream.errors import EchoStreamError
from echostream.lifeline import Grace, leave_within, on_parent_end
from echostream.memory import share_heaps
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.web import fork_server
from echostream.web.app import create_app
from echostream.web.cluster import IMPOSSIBLE, UP
from echostream.web.listener import SharedListener, Turn
from echostream.web.peers import Peers
from echostream.web.server import Server


def serve(settings: Settings, folder: Path, requests: int, port: int) -> None:
    """Forks a process for each client of the socket `requests`. Each forked process serves on the
    socket `port` until a signal, or until the parent is gone. Exits with IMPOSSIBLE and one line on
    stderr if settings contradict each other."""
    share_heaps()
    try:
        # Before forking, so that the processes share what it loads.
        pipeline = build_pipeline(settings, RemoteEngine(folder / SOCKET))
    except EchoStreamError as error:
        print(f"echostream: {error}", file=sys.stderr)
        sys.exit(IMPOSSIBLE)
    number = fork_server.serve(requests)
    if number is not None:
        _serve(settings, pipeline, Peers(folder, number), port)


def _serve(settings: Settings, pipeline: Pipeline, peers: Peers, port: int) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as in server.serve
    orphaned = threading.Event()
    on_parent_end(lambda: _end(orphaned, Grace(settings.shutdown_grace_s).leave_s))
    structlog.contextvars.bind_contextvars(process=peers.number)
    try:
        with suppress(KeyboardInterrupt):
            turn = Turn(peers.folder / "turn", settings.web_concurrency)
            # The parent runs the worker.
            ours = settings.model_copy(update={"run_worker": False})
            app = create_app(ours, lambda _settings: pipeline, peers)
            sockets = [SharedListener(port, peers.number, turn), peers.listen()]
            Server(app, ours, is_member=True, on_up=_tell_up).run(sockets)
    finally:
        peers.socket_path(peers.number).unlink(missing_ok=True)
        if orphaned.is_set():
            shutil.rmtree(peers.folder, ignore_errors=True)


def _tell_up() -> None:
    """Tells the parent, which reads this one line from our stdout."""
    os.write(1, f"{UP}\n".encode())
    os.dup2(2, 1)


def _end(orphaned: threading.Event, within_s: float) -> None:
    """Stops as on SIGTERM. Nobody is left to kill us if we hang."""
    orphaned.set()
    leave_within(within_s)
    os.kill(os.getpid(), signal.SIGTERM)
