"""Media made by a real ffmpeg, never stored: `media("a.mp3", ...)` gives a path."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest

from conftest import SYSTEM_PATH
from echostream.media.ffmpeg import ffmpeg_path
from media.waves import MakeMedia, sine, write_wav


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> MakeMedia:
    """`media(name, *arguments)` runs ffmpeg once per name and session, in one folder."""
    folder = tmp_path_factory.mktemp("media")
    # Of the two builds this one has the AMR encoder, and it is there on every machine.
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()

    def make(name: str, *arguments: str) -> Path:
        path = folder / name
        if not path.exists():
            head = [ffmpeg, "-nostdin", "-loglevel", "error", "-y"]
            subprocess.run([*head, *arguments, str(path)], check=True, cwd=folder)
        return path

    return make


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """One second of WAV at 16 kHz."""
    return write_wav(tmp_path / "tone.wav", sine(1))


@pytest.fixture(params=["system", "bundled"])
def either_ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let `decode` find the ffmpeg of the system, then the one of imageio-ffmpeg. For tests of the
    arguments that both get; others take the second, which starts in a fifth of the time."""
    monkeypatch.setenv("PATH", SYSTEM_PATH if request.param == "system" else "/nowhere")
    if request.param == "system" and shutil.which("ffmpeg") is None:
        pytest.fail("the system has no ffmpeg of its own; make test installs it", pytrace=False)
    ffmpeg_path.cache_clear()
    yield request.param
    ffmpeg_path.cache_clear()


@pytest.fixture
def stub_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """`stub_ffmpeg(script)` puts a shell script in ffmpeg's place on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def install(script: str) -> None:
        path = folder / "ffmpeg"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        ffmpeg_path.cache_clear()

    yield install
    ffmpeg_path.cache_clear()
