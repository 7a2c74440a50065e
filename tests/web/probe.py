"""Asks a server whether it is well, again and again, while others are rude to it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2 as httpx

_EVERY_S = 0.02
LONGEST_S = 3.0
"""How long an answer may take, whatever else the process is asked. A second on a quiet machine, but
other tests keep this one busy. The faults that this is about took 7 s and more."""


@dataclass
class Waits:
    """The longest that `/health` took to answer."""

    longest_s: float = 0.0


@contextmanager
def probing(base_url: str) -> Iterator[Waits]:
    """Probes until the block ends; all probes must have been answered in `LONGEST_S`."""
    waits = Waits()
    over = threading.Event()

    def probe() -> None:
        with httpx.Client(base_url=base_url, timeout=120) as client:
            while not over.wait(_EVERY_S):
                started = time.monotonic()
                client.get("/health").raise_for_status()
                waits.longest_s = max(waits.longest_s, time.monotonic() - started)

    prober = threading.Thread(target=probe, name="probe")
    prober.start()
    try:
        yield waits
    finally:
        over.set()
        prober.join()
    assert waits.longest_s < LONGEST_S, f"somebody waited {waits.longest_s:.1f} s"
