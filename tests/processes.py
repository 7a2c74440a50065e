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


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
