"""What a server and all that it has started take of the machine, read from /proc."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from web.process import command_of, descendants_of

_ROLES = ("engine", "worker", "members", "serve")
_PSS = "Pss:"


@dataclass(frozen=True)
class Footprint:
    """`mib` is proportional memory (PSS) by the role of the process. A process without a role is a
    decoder or another child of one that has. `descriptors` are counted by role and kind, such as
    "worker socket"."""

    mib: dict[str, float]
    processes: int
    descriptors: dict[str, int]
    temp_files: int
    staged: int

    @property
    def total_mib(self) -> float:
        return sum(self.mib.values())

    @property
    def total_descriptors(self) -> int:
        return sum(self.descriptors.values())


def footprint_of(pid: int, temp: Path, staged: int) -> Footprint:
    """Of the server with this id; `temp` is its folder for temporary files, `staged` the number of
    recordings that its storage keeps for jobs."""
    mib: Counter[str] = Counter()
    descriptors: Counter[str] = Counter()
    processes = 0
    for one in (pid, *descendants_of(pid)):
        with suppress(OSError):  # it has just ended
            role = _role_of(one)
            mib[role] += _pss_mib(one)
            descriptors.update(f"{role} {kind}" for kind in _kinds_of_descriptors(one))
            processes += 1
    files = sum(path.is_file() for path in temp.rglob("*"))
    return Footprint(dict(mib), processes, dict(descriptors), files, staged)


def _role_of(pid: int) -> str:
    command = command_of(pid)
    return next((role for role in _ROLES if f"echostream {role}" in command), "others")


def _kinds_of_descriptors(pid: int) -> Iterator[str]:
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it has just been closed
            kind, colon, _ = os.readlink(each).partition(":")
            yield kind if colon else "file"


def _pss_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(_PSS)) / 1024
