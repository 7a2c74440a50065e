"""How a process ends: with its parent, and in time."""

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)

_LONGEST_CLOSING_S = 5.0
_SHARE_OF_THE_ENGINE = 0.3


@dataclass(frozen=True, slots=True)
class Grace:
    """The time from the signal to stop until the last process has gone, and its parts.

    Requests and jobs go on for `work_s`. Those that still run then are cut off: requests get their
    answer, and jobs are handed back, which takes at most `closing_s`. A process that has clients of
    the engine leaves after `leave_s`, so that the engine can end after it.
    """

    whole_s: float

    @property
    def closing_s(self) -> float:
        return min(_LONGEST_CLOSING_S, self.whole_s / 2)

    @property
    def work_s(self) -> float:
        return self.whole_s - self.closing_s

    @property
    def leave_s(self) -> float:
        return self.whole_s - _SHARE_OF_THE_ENGINE * self.closing_s


class _Leaving:
    """When this process leaves. Like logging, it is one for all that the process does."""

    at_s = math.inf
    is_known = threading.Event()


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
    """Ends this process after so long, whatever it waits for then. A thread that waits for a
    storage that does not answer cannot be stopped, and Python waits for its threads. What is called
    first counts: another signal gives no more time."""

    def leave() -> None:
        log.warning("left_late", after_s=seconds)
        os._exit(0)  # it was told to stop, and whatever is left of its work is not lost

    if _Leaving.is_known.is_set():
        return
    _Leaving.at_s = time.monotonic() + seconds
    _Leaving.is_known.set()
    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def wait_until_leaving() -> None:
    """Blocks until `leave_within` was called."""
    _Leaving.is_known.wait()


def left_s() -> float:
    """How long this process has until it leaves; without end before `leave_within`."""
    return _Leaving.at_s - time.monotonic()
