"""How much memory there is for models, and how little is left unused."""

import ctypes
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")
_M_ARENA_MAX = -8  # of malloc.h
_HEAPS = 2


def available_bytes(proc: Path = _PROC, groups: Path = _GROUPS) -> int:
    """Returns the memory that this process may still use, limited by the machine and by its
    container's or service's limits (cgroup v2). Cached files count as free, since the kernel drops
    them when needed."""
    return max(0, min([_of_machine(proc), *_of_limits(proc, groups, _left)]))


def total_bytes(proc: Path = _PROC, groups: Path = _GROUPS) -> int:
    """Returns the memory of the machine, or as much of it as the limits allow."""
    machine = _meminfo(proc, "MemTotal") or _pages("SC_PHYS_PAGES")
    return min([machine, *_of_limits(proc, groups, _limit)])


def share_heaps() -> None:
    """Has all threads of this process and of its forks share two heaps. Call it before there are
    threads; does nothing without glibc.

    By default glibc opens a heap for each thread, up to eight for a core. What large arrays leave
    in each of them is not given back, so that a process with many threads grows for hours: the
    engine's by 5 MB in a minute of load, to a third more than it needs.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)


def _of_machine(proc: Path) -> int:
    return _meminfo(proc, "MemAvailable") or _pages("SC_AVPHYS_PAGES")


def _meminfo(proc: Path, name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", (proc / "meminfo").read_text(), re.M)
    except OSError:
        return None
    return 1024 * int(found[1]) if found else None


def _pages(name: str) -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf(name)


def _of_limits(proc: Path, groups: Path, measure: Callable[[Path], int]) -> Iterator[int]:
    """Yields what each limit allows: that of our own group and of those around it."""
    try:
        found = re.search(r"^0::/(.*)$", (proc / "self" / "cgroup").read_text(), re.M)
    except OSError:
        found = None
    own = groups / (found[1] if found else "")
    for group in (own, *own.parents):
        if group.is_relative_to(groups):
            try:
                yield measure(group)
            except (OSError, ValueError):  # it has no limit or does not exist
                continue


def _limit(group: Path) -> int:
    return int((group / "memory.max").read_text())


def _left(group: Path) -> int:
    used = int((group / "memory.current").read_text())
    files = re.search(r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.M)
    return _limit(group) - used + (int(files[1]) if files else 0)
