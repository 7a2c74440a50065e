"""`echostream up`: the API and the frontend start together, and end together."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from ui.site import free_port
from web.process import assert_they_end, command_of, descendants_of, watched
from web.support import WAIT_S, wait_until


@contextmanager
def up(folder: Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    settings = {"ASR_ENGINE": "pocketsphinx", "LIBRARY_PATH": str(folder / "library")}
    with subprocess.Popen(
        [sys.executable, "-m", "echostream", "up"],
        env={**os.environ, **settings, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as popen:
        try:
            yield popen
        finally:
            popen.kill()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_both_are_there_and_end_together(tmp_path: Path, stop: signal.Signals) -> None:
    api, frontend = free_port(), free_port()
    with up(tmp_path, PORT=str(api), FRONTEND_PORT=str(frontend)) as popen:
        said: list[str] = []
        assert popen.stdout is not None
        reader = threading.Thread(target=said.extend, args=(popen.stdout,))
        reader.start()
        wait_until(lambda: answers(f"http://127.0.0.1:{frontend}/_stcore/health"), "it is up")
        wait_until(lambda: answers(f"http://127.0.0.1:{api}/health"), "the API is up")
        frontends = [
            pid for pid in descendants_of(popen.pid) if "-m echostream_ui" in command_of(pid)
        ]
        assert len(frontends) == 1
        with watched(frontends) as pidfds:
            popen.send_signal(stop)
            assert_they_end(pidfds)
        popen.wait(WAIT_S)
        reader.join(WAIT_S)
    assert f"http://127.0.0.1:{frontend}" in "".join(said)
    assert f"http://127.0.0.1:{api}" in "".join(said)


def test_a_frontend_whose_port_is_taken_ends_both_with_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with up(tmp_path, PORT=str(free_port()), FRONTEND_PORT=port) as popen:
            # Two programs start and end in this time, which takes a while on a busy machine.
            said, _ = popen.communicate(timeout=3 * WAIT_S)
    assert popen.returncode == 1
    assert f"echostream: cannot listen on 127.0.0.1:{port}: Address already in use" in said
    assert "Traceback" not in said


SWALLOWS_THE_FIRST = """
import sys, threading
from echostream import frontend_process
from echostream.lifeline import Grace
frontend_process.COMMAND = (sys.executable, "-c", "pass")
frontend_process._AGAIN_S = 0.1
with frontend_process.beside("http://127.0.0.1:9", Grace(25.0)):
    try:
        threading.Event().wait(20)
    except SystemExit:
        pass
    threading.Event().wait()
"""


def test_a_frontend_that_ends_is_not_missed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWS_THE_FIRST],
        capture_output=True,
        text=True,
        timeout=3 * WAIT_S,
    )
    assert done.returncode == 1
    assert "FrontendEnded" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("API_BASE_URL", "localhost:3000", "API_BASE_URL"),
        ("SUPABASE_URL", "https://example.com", "SUPABASE_ANON_KEY"),
        ("FRONTEND_PORT", "eighty", "FRONTEND_PORT"),
    ],
)
def test_a_setting_that_is_wrong_ends_the_frontend_with_a_line(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "echostream", "ui"],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("echostream: setting ")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
