"""How a process ends: with its parent, and in time."""

import os
import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

LATE_S = 10.0
"""How long after its grace a process that has been told to stop may still run."""


def on_parent_end(call: Callable[[], object]) -> None:
    """Calls `call` in a thread when stdin ends. Stdin is a pipe from the parent, which the system
    closes when the parent ends for any reason."""

    def read() -> None:
        # Not sys.stdin: a thread inside its lock would abort the interpreter's shutdown.
        while os.read(0, 1):
            pass
        call()

    threading.Thread(target=read, daemon=True, name="lifeline").start()


def leave_within(seconds: float) -> None:
    """Ends this process after so long with status 1, whatever it waits for then. A thread that
    waits for a storage that does not answer cannot be stopped, and Python waits for its threads."""

    def leave() -> None:
        log.error("left_late", after_s=seconds)
        os._exit(1)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()
