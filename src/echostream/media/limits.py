"""What a child process that reads untrusted files may use of the machine.

The kernel holds these limits, also when nobody waits for the child any more.
"""

import sys
from contextlib import suppress

_MEMORY_BYTES = 1024**3
"""A film of two million pictures, in whose index ffmpeg keeps each, takes 170 MB."""
_CPU_S = 3600
"""The longest recordings take minutes, and a live session of a day one minute."""


def limit(pid: int, *, file_bytes: int) -> None:
    """Limits a child's memory and CPU time, and the size of the files that it writes (pipes are
    not files). It leaves no core dump, which would have the recording in it.

    Set from outside, since code between fork and exec is not safe beside threads. Does nothing
    where the kernel has no such call (macOS), or if the child has already ended.
    """
    if sys.platform != "linux":
        return
    import resource

    limits = {
        # Not RLIMIT_AS: address space that nobody uses is most of what glibc's threads reserve.
        resource.RLIMIT_DATA: _MEMORY_BYTES,
        resource.RLIMIT_CPU: _CPU_S,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        with suppress(ProcessLookupError):
            _, hard = resource.prlimit(pid, kind)
            if hard != resource.RLIM_INFINITY:
                most = min(most, hard)
            resource.prlimit(pid, kind, (most, most))
