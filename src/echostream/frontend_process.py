"""The web frontend as a process beside the API. It is a client like any other: nothing of it is
imported here, and it is told where the API is."""

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
    """Raises MissingExtra."""
    require("ui", "the web frontend")


class FrontendEnded(EchoStreamError):
    """It has ended of itself, and has said why."""

    code = "frontend_ended"


@contextmanager
def beside(api_url: str) -> Iterator[None]:
    """Run the frontend while the block runs, which is ended by SIGTERM if the frontend ends of
    itself; raises FrontendEnded then."""
    process = subprocess.Popen(
        (*COMMAND, "--lifeline"),
        stdin=subprocess.PIPE,  # whose end it takes as the order to stop, whatever ends us
        env={"API_BASE_URL": api_url, **os.environ},
    )
    leaving, ended_itself = threading.Event(), threading.Event()

    def watch() -> None:
        process.wait()
        if not leaving.is_set():
            ended_itself.set()
            os.kill(os.getpid(), signal.SIGTERM)
        # What a signal raises may be swallowed by whatever is at work, such as an import that has
        # something else to fall back on.
        while not leaving.wait(_AGAIN_S):
            os.kill(os.getpid(), signal.SIGTERM)

    # A server raises the signal that ended it once more; taken as it is, we would end here and now.
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
