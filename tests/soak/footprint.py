"""What a server and all that it has started take of the machine, read from /proc."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from web.process import command_of, descendants_of

_ROLES = ("engine", "worker", "members", "serve")
_PSS = "Pss:"


@dataclass(frozen=True)
class Footprint:
    """`mib` is proportional memory (PSS) by the role of the process. A process without a role is a
    decoder or another child of one that has."""

    mib: dict[str, float]
    processes: int
    descriptors: int
    temp_files: int
    staged: int

    @property
    def total_mib(self) -> float:
        return sum(self.mib.values())


def footprint_of(pid: int, temp: Path, staged: int) -> Footprint:
    """Of the server with this id; `temp` is its folder for temporary files, `staged` the number of
    recordings that its storage keeps for jobs."""
    mib: Counter[str] = Counter()
    processes = descriptors = 0
    for one in (pid, *descendants_of(pid)):
        with suppress(OSError):  # it has just ended
            mib[_role_of(one)] += _pss_mib(one)
            descriptors += len(list(Path(f"/proc/{one}/fd").iterdir()))
            processes += 1
    files = sum(path.is_file() for path in temp.rglob("*"))
    return Footprint(dict(mib), processes, descriptors, files, staged)


def _role_of(pid: int) -> str:
    command = command_of(pid)
    return next((role for role in _ROLES if f"echostream {role}" in command), "others")


def _pss_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(_PSS)) / 1024
