"""How much memory a process may still take."""

import subprocess
import sys
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


HEAPS = """
import ctypes, threading
from echostream.memory import share_heaps

share_heaps()
ready = threading.Barrier(9)
held = []

def work():
    held.append(bytearray(100_000))
    ready.wait()

for _ in range(8):
    threading.Thread(target=work).start()
ready.wait()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


def test_threads_share_few_heaps() -> None:
    told = subprocess.run(
        [sys.executable, "-c", HEAPS], capture_output=True, text=True, check=True, timeout=60
    )
    assert 1 <= told.stdout.count("<heap nr=") <= 2
