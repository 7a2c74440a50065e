"""How much memory a process may still take."""

from pathlib import Path

import pytest

from echostream.memory import available_bytes

MB = 1_000_000


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A machine with about 800 MB to spare, and this process in the group `services/ours`."""
    (folder := tmp_path / "proc").mkdir()
    (folder / "self").mkdir()
    (folder / "meminfo").write_text("MemTotal: 2000000 kB\nMemAvailable:  781250 kB\n")
    (folder / "self" / "cgroup").write_text("1:cpu:/x\n0::/services/ours\n")
    return folder


def limit(group: Path, most: str, used: int, files: int = 0) -> None:
    group.mkdir(parents=True, exist_ok=True)
    (group / "memory.max").write_text(f"{most}\n")
    (group / "memory.current").write_text(f"{used}\n")
    (group / "memory.stat").write_text(f"anon 1\ninactive_file {files}\n")


def test_that_of_the_machine_where_there_is_no_limit(proc: Path, tmp_path: Path) -> None:
    assert available_bytes(proc, tmp_path / "groups") == 800 * MB
    limit(tmp_path / "groups" / "services" / "ours", "max", 300 * MB)
    assert available_bytes(proc, tmp_path / "groups") == 800 * MB


def test_what_a_limit_leaves_files_not_counted(proc: Path, tmp_path: Path) -> None:
    limit(tmp_path / "groups" / "services" / "ours", str(500 * MB), 300 * MB, 100 * MB)
    assert available_bytes(proc, tmp_path / "groups") == 300 * MB


def test_the_groups_around_ours_count_too(proc: Path, tmp_path: Path) -> None:
    limit(tmp_path / "groups" / "services" / "ours", str(500 * MB), 100 * MB)
    limit(tmp_path / "groups", str(600 * MB), 590 * MB)
    assert available_bytes(proc, tmp_path / "groups") == 10 * MB
    limit(tmp_path / "groups", str(600 * MB), 601 * MB)
    assert available_bytes(proc, tmp_path / "groups") == 0


def test_of_this_machine_it_is_known() -> None:
    assert available_bytes() > 0
