"""Runs the web frontend as a process beside the API. It is a client like any other: nothing of it
is imported here, and it gets the API's address."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from echostream.children import PYTHON
from echostream.errors import EchoStreamError
from echostream.extras import require

COMMAND = (*PYTHON, "-m", "echostream_ui")
_END_S = 20.0
_AGAIN_S = 5.0


def check_installed() -> None:
    """Raises MissingExtra if the web frontend is not installed."""
    require("ui", "the web frontend")


class FrontendEnded(EchoStreamError):
    """The frontend has ended by itself, after it printed why."""

    code = "frontend_ended"


@contextmanager
def beside(api_url: str) -> Iterator[None]:
    """Runs the frontend while the block runs. If the frontend ends by itself, SIGTERM ends the
    block and this raises FrontendEnded."""
    process = subprocess.Popen(
        (*COMMAND, "--lifeline"),
        stdin=subprocess.PIPE,  # it stops when this closes, however we end
        env={"API_BASE_URL": api_url, **os.environ},
    )
    leaving, ended_itself = threading.Event(), threading.Event()

    def watch() -> None:
        process.wait()
        if not leaving.is_set():
            ended_itself.set()
            os.kill(os.getpid(), signal.SIGTERM)
        # The exception from a signal may be swallowed by the code that is running, such as an
        # import with a fallback.
        while not leaving.wait(_AGAIN_S):
            os.kill(os.getpid(), signal.SIGTERM)

    # A server raises the signal that ended it again. Without a handler, we would end at once.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    threading.Thread(target=watch, daemon=True, name="frontend").start()
    try:
        yield
    finally:
        leaving.set()
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if ended_itself.is_set():
            raise FrontendEnded("the web frontend has ended; its last words are above")
