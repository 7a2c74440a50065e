"""`echostream live` as a user runs it, against a real server that knows the sample by heart."""

import os
import pty
import signal
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import forks
from conftest import SAMPLE, running, sample_pcm, sample_text, sample_turns, write_wav
from streaming.oracle import OracleTranscriber
from web.support import around, settings_of

COMMAND = [sys.executable, "-m", "echostream", "live"]
TOKEN = "a token of our own"


@pytest.fixture(scope="module")
def oracle() -> OracleTranscriber:
    return OracleTranscriber()


@pytest.fixture(scope="module")
def url(oracle: OracleTranscriber) -> Iterator[str]:
    with running(settings_of(api_bearer_token=TOKEN), around(oracle)) as base_url:
        yield base_url


@pytest.fixture
def environment() -> dict[str, str]:
    return {**os.environ, "API_BEARER_TOKEN": TOKEN}


def live(
    environment: dict[str, str], *arguments: str, stdin: bytes | None = None
) -> "subprocess.CompletedProcess[bytes]":
    if stdin is None:
        return forks.run([*COMMAND[1:], *arguments], environment, timeout=60)
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment,
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_file(url: str, environment: dict[str, str]) -> None:
    found = live(environment, str(SAMPLE), "--url", url, "--speed", "0")
    assert found.returncode == 0, found.stderr
    assert found.stdout.decode().split() == sample_text().split()
    assert found.stderr == b""


def test_a_stream(url: str, environment: dict[str, str]) -> None:
    found = live(environment, "-", "--url", url, stdin=SAMPLE.read_bytes())
    assert found.stdout.decode().split() == sample_text().split()


def test_raw_audio(url: str, environment: dict[str, str]) -> None:
    pcm = sample_pcm().tobytes()
    found = live(environment, "-", "--url", url, "--rate", "16000", stdin=pcm)
    assert found.stdout.decode().split() == sample_text().split()


def two_channels() -> np.ndarray:
    """Two people who talk at the same time, shape `(samples, 2)`."""
    pcm, length = sample_pcm(), 10 * 16_000
    return np.stack([pcm[:length], pcm[16 * 16_000 :][:length]], axis=1)


@pytest.mark.parametrize("raw", [False, True])
def test_separate_channels(
    url: str, environment: dict[str, str], tmp_path: Path, raw: bool
) -> None:
    pcm = two_channels().tobytes()
    with wave.open(str(tmp_path / "call.wav"), "wb") as file:
        file.setparams((2, 2, 16_000, 0, "NONE", ""))
        file.writeframes(pcm)
    source = ["-", "--rate", "16000"] if raw else [str(tmp_path / "call.wav"), "--speed", "0"]
    command = [*source, "--url", url, "--separate-channels"]
    found = live(environment, *command, stdin=pcm if raw else None)
    assert found.returncode == 0, found.stderr
    said = found.stdout.decode()
    for begins, pause in ((0, 4), (16, 19)):  # the first turn of each
        turn = next(each for each in sample_turns() if begins <= each["start_s"] <= pause)
        assert set(turn["text"].split()) <= set(said.split())


def test_it_keeps_the_pace_of_speech(url: str, environment: dict[str, str], tmp_path: Path) -> None:
    clip = write_wav(tmp_path / "clip.wav", sample_pcm()[: 16_000 * 4])
    found = live(environment, str(clip), "--url", url, "--speed", "2")
    assert found.stdout.decode().startswith("Thank you for joining")


def test_ctrl_c_ends_the_audio_and_not_the_transcript(
    url: str, oracle: OracleTranscriber, environment: dict[str, str]
) -> None:
    oracle.asked.clear()
    command = [*COMMAND, str(SAMPLE), "--url", url]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert oracle.asked.wait(30)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output.startswith(b"Thank")


def test_a_server_that_ends_the_session_is_no_success(
    oracle: OracleTranscriber, environment: dict[str, str]
) -> None:
    impatient = settings_of(api_bearer_token=TOKEN, live_idle_s=2)
    read, write = os.pipe()
    with (
        running(impatient, around(oracle)) as url,
        open(read, "rb") as microphone,
        open(write, "wb") as speaker,
        subprocess.Popen(
            [*COMMAND, "-", "--url", url],
            env=environment,
            stdin=microphone,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        speaker.write(SAMPLE.read_bytes()[:60_000])  # fits into the pipe
        speaker.flush()  # and nothing more comes
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output.startswith(b"Thank you for joining")
    assert b"ended the session before the audio did" in errors


def test_on_a_terminal_it_ends_with_insights(url: str, environment: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, str(SAMPLE), "--url", url, "--speed", "0", "--speakers"]
    shown = bytearray()

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                return
            shown.extend(part)

    reader = threading.Thread(target=read)
    with subprocess.Popen(command, env={**environment, "TERM": "xterm"}, stdout=theirs) as process:
        os.close(theirs)
        reader.start()
        assert process.wait(60) == 0
    reader.join()
    os.close(ours)
    assert b"behind" in shown
    assert b"Insights" in shown
    assert b"B: " in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-file.wav"], b"is not a file"),
        ([str(Path(__file__))], b"can be decoded"),
        ([str(SAMPLE), "--language", "no language"], b"ISO 639-1"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    url: str, environment: dict[str, str], arguments: list[str], message: bytes
) -> None:
    found = live(environment, *arguments, "--url", url)
    assert found.returncode == 1
    assert message in found.stderr
    assert found.stderr.count(b"\n") == 1


def test_raw_audio_that_does_not_exist(url: str, environment: dict[str, str]) -> None:
    form = ["--encoding", "pcmu", "--rate", "400"]
    found = live(environment, "-", "--url", url, *form, stdin=b"")
    assert found.returncode == 1
    assert found.stderr == b"echostream: sampleRate must be 4000 to 384000\n"


def test_noise_on_stdin(url: str, environment: dict[str, str]) -> None:
    found = live(environment, "-", "--url", url, stdin=b"no audio at all" * 1000)
    assert found.returncode == 1
    assert b"there was no audio" in found.stderr


def test_more_audio_than_may_be(oracle: OracleTranscriber, environment: dict[str, str]) -> None:
    limited = settings_of(api_bearer_token=TOKEN, max_audio_seconds=4)
    with running(limited, around(oracle)) as url:
        found = live(environment, str(SAMPLE), "--url", url, "--speed", "0")
    assert found.returncode == 0
    assert found.stdout.startswith(b"Thank you for joining")
    assert b"live audio may be 4 s long" in found.stderr


def test_a_wrong_token(url: str, environment: dict[str, str]) -> None:
    found = live({**environment, "API_BEARER_TOKEN": "wrong"}, str(SAMPLE), "--url", url)
    assert found.returncode == 1
    assert b"unauthorized" in found.stderr


def test_nobody_listens(environment: dict[str, str]) -> None:
    found = live(environment, str(SAMPLE), "--url", "http://127.0.0.1:1")
    assert found.returncode == 1
    assert b"cannot connect to http://127.0.0.1:1" in found.stderr
    assert found.stderr.count(b"\n") == 1


def test_a_pipe_that_nobody_reads_any_more(url: str, environment: dict[str, str]) -> None:
    command = [*COMMAND, str(SAMPLE), "--url", url, "--speed", "0"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == b""
