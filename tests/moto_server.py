"""An S3 by moto on a free port, in a process of its own, so that its warnings are not ours."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

PAGE_KEYS = 20
"""So many keys a page of a listing has; S3 itself gives a thousand."""


@contextmanager
def moto_server() -> Iterator[str]:
    """Gives the endpoint's URL; the process ends with the block."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            env=os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE_KEYS)},
            stderr=log,
        )
        try:
            yield _url_in(log, process)
        finally:
            process.terminate()
            process.wait(10)


def _url_in(log: TextIO, process: subprocess.Popen[bytes]) -> str:
    """The URL that the server writes to its log once it listens."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"http://[\d.:]+", os.pread(log.fileno(), 4096, 0).decode()):
            return found[0]
        time.sleep(0.05)
    raise RuntimeError("moto does not start")


def point_aws_at(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Set the environment as somebody with an S3 of their own would."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
