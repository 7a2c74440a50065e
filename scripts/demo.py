"""The main job as a user would do it: start the API, upload a recording over HTTP, read the answer.

Needs no Redis, no key and no Docker, and works without a network: where Whisper's model cannot be
had, pocketsphinx stands in and a line says so.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from rich.console import Console

from echostream.engine import hub
from echostream.errors import EchoStreamError
from echostream.schema import TranscriptionShape
from echostream.settings import Settings
from echostream.show import show

SAMPLE = Path(__file__).parent.parent / "samples" / "meeting.wav"
START_S = 60
ANSWER_S = 600

console = Console()


def main() -> int:
    settings = Settings()
    engine = choose_engine(settings)
    with api_server(engine) as base_url:
        console.print(f"Uploading {SAMPLE.name} to {base_url}/upload-audio")
        started = time.perf_counter()
        result = upload(base_url, settings)
        took_s = time.perf_counter() - started
    show(result, console)
    console.print(f"{result.duration:.0f} s of audio in {took_s:.1f} s")
    return 0


def choose_engine(settings: Settings) -> str:
    """Fetch the Whisper model if need be, with a progress bar, before the server is asked."""
    if settings.asr_engine != "auto":
        return settings.asr_engine
    try:
        if hub.local_folder(settings.whisper_model) is None:
            console.print(f"Fetching the Whisper model {settings.whisper_model!r}, once")
            hub.download(settings.whisper_model, timeout_s=settings.model_fetch_timeout_s)
    except EchoStreamError as error:
        console.print(f"Whisper could not be had ({error}); pocketsphinx stands in.")
        return "pocketsphinx"
    return "whisper"


@contextmanager
def api_server(engine: str) -> Iterator[str]:
    """The API in a process of its own on a free port; ended on leaving."""
    port = free_port()
    environment = os.environ | {
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "ASR_ENGINE": engine,
        "LOG_LEVEL": "error",
        # One recording needs one process, which then has all cores.
        "WEB_CONCURRENCY": "1",
    }
    command = [sys.executable, "-P", "-m", "echostream", "serve"]
    process = subprocess.Popen(command, env=environment)
    try:
        base_url = f"http://127.0.0.1:{port}"
        wait_until_up(base_url, process)
        yield base_url
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_until_up(base_url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit("The API did not start; its message is above.")
        try:
            httpx2.get(f"{base_url}/health", trust_env=False).raise_for_status()
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"The API did not answer within {START_S} s.")


def upload(base_url: str, settings: Settings) -> TranscriptionShape:
    token = settings.api_bearer_token
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    with SAMPLE.open("rb") as audio, console.status("Transcribing"):
        response = httpx2.post(
            f"{base_url}/upload-audio",
            files={"audio": (SAMPLE.name, audio, "audio/wav")},
            headers=headers,
            timeout=ANSWER_S,
            trust_env=False,
        )
    if response.is_error:
        sys.exit(f"The API answered {response.status_code}: {response.text}")
    return TranscriptionShape.model_validate_json(response.content)


if __name__ == "__main__":
    sys.exit(main())
