"""Tells a child process when its parent has ended: its stdin ends."""

import os
import threading
from collections.abc import Callable


def on_parent_end(call: Callable[[], object]) -> None:
    """Calls `call` in a thread when stdin ends. Stdin is a pipe from the parent, which the system
    closes when the parent ends for any reason."""

    def read() -> None:
        # Not sys.stdin: a thread inside its lock would abort the interpreter's shutdown.
        while os.read(0, 1):
            pass
        call()

    threading.Thread(target=read, daemon=True, name="lifeline").start()
