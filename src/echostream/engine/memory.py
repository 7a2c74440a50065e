"""Measures how much memory is left for models."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")


def available_bytes(proc: Path = _PROC, groups: Path = _GROUPS) -> int:
    """Returns the memory that this process may still use, limited by the machine and by its
    container's or service's limits (cgroup v2). Cached files count as free, since the kernel drops
    them when needed."""
    return max(0, min([_of_machine(proc), *_of_limits(proc, groups)]))


def _of_machine(proc: Path) -> int:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", (proc / "meminfo").read_text(), re.M)
    except OSError:
        found = None
    if found:
        return 1024 * int(found[1])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def _of_limits(proc: Path, groups: Path) -> Iterator[int]:
    """Yields what each limit leaves: that of our own group and of those around it."""
    try:
        found = re.search(r"^0::/(.*)$", (proc / "self" / "cgroup").read_text(), re.M)
    except OSError:
        found = None
    own = groups / (found[1] if found else "")
    for group in (own, *own.parents):
        if group.is_relative_to(groups):
            try:
                yield _of_limit(group)
            except (OSError, ValueError):  # it has no limit or does not exist
                continue


def _of_limit(group: Path) -> int:
    limit = int((group / "memory.max").read_text())
    used = int((group / "memory.current").read_text())
    files = re.search(r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.M)
    return limit - used + (int(files[1]) if files else 0)
