"""Threads that import faster-whisper at the same moment, as after a restart with live sessions."""

import subprocess
import sys

import pytest

# Python locks a package and each of its modules, and says so to nobody: the order of the threads
# is set where these locks are asked for.
SCRIPT = """
import threading
from importlib import _bootstrap as imports
import numpy as np
from echostream.engine import hub
from echostream.engine.vad import VadState, detect_speech

second_is_next, first_has_it = threading.Event(), threading.Event()
get_module_lock = imports._get_module_lock

def in_order(name):
    is_first = threading.current_thread() is first
    if name == "faster_whisper" and not is_first:
        second_is_next.set()
        first_has_it.wait()
    if name.startswith("faster_whisper.") and is_first:
        first_has_it.set()
    return get_module_lock(name)

def load():
    second_is_next.wait()
    import faster_whisper

imports._get_module_lock = in_order
first = threading.Thread(target=load)
first.start()
{call}
first.join()
"""


@pytest.mark.parametrize(
    "call", ["detect_speech(np.zeros(512), VadState())", "hub.repo_id('base')"]
)
def test_a_part_asked_for_while_the_package_is_imported(call: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(call=call)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
