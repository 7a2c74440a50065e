"""How a child process learns that the process which started it is gone: its stdin ends."""

import os
import threading
from collections.abc import Callable


def on_parent_end(call: Callable[[], object]) -> None:
    """Call it, in a thread, at the end of stdin: a pipe whose other end the parent holds and which
    the system closes for it, whatever ends it."""

    def read() -> None:
        # Not sys.stdin: a thread inside its lock would abort the interpreter's shutdown.
        while os.read(0, 1):
            pass
        call()

    threading.Thread(target=read, daemon=True, name="lifeline").start()
