"""Runs the web frontend as a process beside the API. It is a client like any other: nothing of it
is imported here, and it gets the API's address."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from echostream.children import PYTHON
from echostream.errors import EchoStreamError
from echostream.extras import require
from echostream.lifeline import Grace, left_s, wait_until_leaving

COMMAND = (*PYTHON, "-m", "echostream_ui")
_AGAIN_S = 5.0
_KILLING_S = 0.5
"""How long before this process leaves the frontend is killed."""


def check_installed() -> None:
    """Raises MissingExtra if the web frontend is not installed."""
    require("ui", "the web frontend")


class FrontendEnded(EchoStreamError):
    """The frontend has ended by itself, after it printed why."""

    code = "frontend_ended"


@contextmanager
def beside(api_url: str, grace: Grace) -> Iterator[None]:
    """Runs the frontend while the block runs. If the frontend ends by itself, SIGTERM ends the
    block and this raises FrontendEnded. Once this process has been told to stop, the frontend has
    what is left of the grace period."""
    process = subprocess.Popen(
        (*COMMAND, "--lifeline"),
        stdin=subprocess.PIPE,  # it stops when this closes, however we end
        env={"API_BASE_URL": api_url, **os.environ},
    )
    leaving, ended_itself = threading.Event(), threading.Event()

    def watch() -> None:
        process.wait()
        if not leaving.is_set() and math.isinf(left_s()):
            ended_itself.set()
            os.kill(os.getpid(), signal.SIGTERM)
        # The exception from a signal may be swallowed by the code that is running, such as an
        # import with a fallback.
        while not leaving.wait(_AGAIN_S):
            os.kill(os.getpid(), signal.SIGTERM)

    # A server raises the signal that ended it again. Without a handler, we would end at once.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    threading.Thread(target=watch, daemon=True, name="frontend").start()
    threading.Thread(target=_end_in_time, args=(process, grace), daemon=True).start()
    try:
        yield
    finally:
        leaving.set()
        _end(process, min(grace.whole_s, left_s()))
        if ended_itself.is_set():
            raise FrontendEnded("the web frontend has ended; its last words are above")


def _end_in_time(process: "subprocess.Popen[bytes]", grace: Grace) -> None:
    """Ends the frontend when the API cuts its requests off, whose answers it may be waiting for
    until then, and even if the API never ends."""
    wait_until_leaving()
    time.sleep(max(0.0, left_s() - grace.closing_s))
    _end(process, left_s())


def _end(process: "subprocess.Popen[bytes]", within_s: float) -> None:
    process.terminate()
    try:
        process.wait(max(0.0, within_s - _KILLING_S))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
