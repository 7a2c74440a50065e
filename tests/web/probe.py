"""Asks a server whether it is well, again and again, while others are rude to it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2 as httpx

_EVERY_S = 0.02
MOST_CPU_S = 1.0
"""How much the process of the server, which is that of the test too, may compute before it answers.
On a quiet machine that is how long it takes; on a busy one other programs do not change it."""
LONGEST_S = 15.0
"""How long it may take: a wait that computes nothing, such as for a lock, is seen by this."""


@dataclass
class Waits:
    """The longest that `/health` took to answer, by the clock and in CPU time of the process."""

    longest_s: float = 0.0
    most_cpu_s: float = 0.0


@contextmanager
def probing(base_url: str) -> Iterator[Waits]:
    """Probes until the block ends. All probes must have been answered within `MOST_CPU_S`."""
    waits = Waits()
    over = threading.Event()

    def probe() -> None:
        # On a busy machine a connection that is kept is idle for so long that the server closes it.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=base_url, timeout=120, limits=limits) as client:
            while not over.wait(_EVERY_S):
                started_s, used_s = time.monotonic(), time.process_time()
                client.get("/health").raise_for_status()
                waits.most_cpu_s = max(waits.most_cpu_s, time.process_time() - used_s)
                waits.longest_s = max(waits.longest_s, time.monotonic() - started_s)

    prober = threading.Thread(target=probe, name="probe")
    prober.start()
    try:
        yield waits
    finally:
        over.set()
        prober.join()
    assert waits.most_cpu_s < MOST_CPU_S, f"somebody waited for {waits.most_cpu_s:.1f} s of work"
    assert waits.longest_s < LONGEST_S, f"somebody waited {waits.longest_s:.1f} s"
