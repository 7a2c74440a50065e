"""Programs for Node with packages from npm, kept from one run of the tests to the next."""

import fcntl
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def with_packages(config: pytest.Config, folder: Path) -> Path:
    """A copy of the folder's `client.mjs` beside the packages that its `package.json` names."""
    place = installed(config, folder)
    with _alone(place):
        program, source = place / "client.mjs", (folder / "client.mjs").read_text()
        if not program.exists() or program.read_text() != source:
            program.write_text(source)
    return program


def installed(config: pytest.Config, folder: Path) -> Path:
    """A folder with the packages that the folder's `package.json` names, in `node_modules`."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.fail(f"{tool} is missing; on Debian: apt-get install nodejs npm", pytrace=False)
    wanted = (folder / "package.json").read_text()
    assert config.cache is not None
    place = config.cache.mkdir(str(json.loads(wanted)["name"]))
    with _alone(place):
        installed = place / "installed.json"
        if not installed.exists() or installed.read_text() != wanted:
            (place / "package.json").write_text(wanted)
            _install(place)
            installed.write_text(wanted)
    return place


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One at a time: tests run in several processes."""
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(place: Path) -> None:
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"]
    command += ["--omit=optional", "--ignore-scripts"]
    ran = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300)
    if ran.returncode:
        pytest.fail(f"npm cannot install packages:\n{ran.stderr}", pytrace=False)
