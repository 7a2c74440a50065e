"""The number of CPUs, from which the defaults of some settings follow."""

import os


def cpu_count() -> int:
    """CPUs that this process may use; where the system does not say, those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def windows_at_once(cpus: int | None = None) -> int:
    """How many windows of audio Whisper reads at once on so many CPUs; more gain nothing."""
    return min(8, 2 * (cpus or cpu_count()))
