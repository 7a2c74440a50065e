"""Audio of the sample in the forms that live clients send, and engines to read it."""

import random
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from conftest import SAMPLE, TINY_WHISPER, sample_pcm, wav_of
from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine import LiveEngine, LocalEngine, Registry, Turns
from echostream.engine.whisper import WhisperTranscriber, load_whisper
from echostream.media import ffmpeg_path
from echostream.settings import Settings
from fakes import FakeDiarizer, no_diarizer
from streaming.oracle import OracleTranscriber

# As MediaRecorder has them: Chrome and Firefox, and Safari.
CONTAINERS = {
    "webm": ("-c:a", "libopus", "-b:a", "32k", "-f", "webm"),
    "ogg": ("-c:a", "libopus", "-b:a", "32k", "-f", "ogg"),
    "mp4": (
        *("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov+default_base_moof"),
        *("-frag_duration", "250000", "-f", "mp4"),
    ),
}


def cut(data: bytes, seed: int, pieces: int = 100) -> list[bytes]:
    """`data` in pieces of random sizes."""
    places = sorted(random.Random(seed).sample(range(1, len(data)), pieces - 1))
    return [data[start:end] for start, end in zip((0, *places), (*places, None), strict=True)]


def wav_files(pcm: bytes, *, each_s: float = 1.0) -> list[bytes]:
    """Complete WAV files one after the other."""
    step = int(each_s * SAMPLE_RATE_HZ) * 2
    pieces = [pcm[start : start + step] for start in range(0, len(pcm), step)]
    return [wav_of(np.frombuffer(piece, "<i2")) for piece in pieces]


@pytest.fixture(scope="session")
def pcm() -> bytes:
    """The sample as PCM16."""
    return sample_pcm().tobytes()


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The sample as one stream of each container."""
    folder = tmp_path_factory.mktemp("recorded")
    return {name: _recorded(folder / name, *form) for name, form in CONTAINERS.items()}


@pytest.fixture(scope="session")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The first ten seconds of the sample as one stream of each container."""
    folder = tmp_path_factory.mktemp("beginning")
    return {name: _recorded(folder / name, "-t", "10", *form) for name, form in CONTAINERS.items()}


def _recorded(path: Path, *form: str) -> bytes:
    command = [ffmpeg_path(), "-v", "error", "-i", str(SAMPLE), *form, str(path)]
    subprocess.run(command, check=True)
    return path.read_bytes()


@pytest.fixture
def turns() -> Iterator[Turns]:
    shared = Turns(at_once=1)
    yield shared
    shared.close()


@pytest.fixture
def oracle() -> OracleTranscriber:
    return OracleTranscriber()


@pytest.fixture
def engine(oracle: OracleTranscriber, turns: Turns) -> LiveEngine:
    """One that knows the sample by heart."""
    return LiveEngine(Registry.only(lambda: oracle), turns, no_diarizer())


@pytest.fixture
async def local(oracle: OracleTranscriber) -> AsyncIterator[LocalEngine]:
    """The same with a queue of files and speakers."""
    models = Registry.only(lambda: oracle, oracle.model)
    engine = LocalEngine(Settings(), models, lambda _settings: FakeDiarizer())
    await engine.load()
    yield engine
    await engine.aclose()


@pytest.fixture(scope="session")
def whisper() -> Iterator[WhisperTranscriber]:
    transcriber = load_whisper(TINY_WHISPER, "tiny-meeting", Settings())
    yield transcriber
    transcriber.close()


@pytest.fixture
def whisper_engine(whisper: WhisperTranscriber, turns: Turns) -> LiveEngine:
    models = Registry.only(lambda: whisper)
    models.start_loading(None).result()
    return LiveEngine(models, turns, no_diarizer())
