"""What processes this one has, read from /proc."""

import os
from contextlib import suppress
from pathlib import Path


def children(pid: int | None = None) -> list[int]:
    """Ids of the direct children of a process, this one by default; zombies are not counted."""
    parent = os.getpid() if pid is None else pid
    found = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            found += [int(child) for child in (task / "children").read_text().split()]
    return [child for child in found if not _is_zombie(child)]


def cpu_s(pid: int) -> float:
    """The CPU time that a process has used, which other processes do not change as they do the
    time on a clock."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
