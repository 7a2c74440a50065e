"""What the tests of the HTTP side share: servers around fakes, sounds, raw HTTP, processes."""

import io
import os
import re
import socket
import threading
import time
import wave
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from conftest import MakePipeline, running
from echostream.domain import Segment
from echostream.engine import (
    Capabilities,
    LocalEngine,
    Registry,
    Report,
    Transcriber,
    Transcription,
)
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from fakes import FakeDiarizer, FakeInsights, FakeTranscriber, fake_pipeline

WAIT_S = 20
"""Longest wait for something that comes at once on an idle machine."""


def settings_of(**values: Any) -> Settings:
    """Settings of these values and defaults alone, whatever the environment and `.env` say."""
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        return Settings(_env_file=None, **values)


@contextmanager
def serving(
    transcriber: FakeTranscriber | None = None,
    insights: FakeInsights | None = None,
    *,
    make_pipeline: MakePipeline | None = None,
    **settings: Any,
) -> Iterator[httpx.Client]:
    """A client of a real server around fakes, or around what `make_pipeline` makes."""
    make_pipeline = make_pipeline or fake_pipeline(transcriber, insights)
    with (
        running(settings_of(**settings), make_pipeline) as base_url,
        httpx.Client(base_url=base_url, timeout=60) as client,
    ):
        yield client


def around(engine: Transcriber, diarizer: FakeDiarizer | None = None) -> MakePipeline:
    """A `make_pipeline` with this engine."""
    voices = diarizer or FakeDiarizer()
    models = Registry.only(lambda: engine, engine.model)
    return lambda settings: Pipeline(
        settings,
        LocalEngine(settings, models, lambda _settings: voices),
        FakeInsights(due="by Friday"),
    )


@dataclass
class EndlessTranscriber:
    """Never comes to the end by itself: `stopped` is set once it has been told to stop."""

    started: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    engine: str = "endless"
    model: str = "endless-1"
    capabilities: Capabilities = field(default_factory=Capabilities)

    def transcribe(self, *_: object, **__: object) -> Transcription:
        return Transcription(self._segments(), Report("en"))

    def _segments(self) -> Generator[Segment]:
        never = threading.Event()
        try:
            for number in range(int(2 * WAIT_S / 0.01)):
                self.started.set()
                yield Segment(number, number, number + 1, "and so on")
                never.wait(0.01)
        finally:
            self.stopped.set()

    def close(self) -> None:
        pass


@dataclass
class BrokenTranscriber:
    """Raises `error`, at once or, where `after_text`, once it has said something."""

    error: Exception
    after_text: bool = False
    engine: str = "broken"
    model: str = "broken-1"
    capabilities: Capabilities = field(default_factory=Capabilities)

    def transcribe(self, *_: object, **__: object) -> Transcription:
        return Transcription(self._segments(), Report("en"))

    def _segments(self) -> Generator[Segment]:
        if self.after_text:
            yield Segment(0, 0.0, 0.5, "so far so good")
        raise self.error

    def close(self) -> None:
        pass


def secret_fault() -> Exception:
    """An exception that nobody foresaw, with things in it that must stay in the process."""
    return RuntimeError(f"cannot read {Path(__file__).parent}/secret.bin")


def wav(
    seconds: float = 1.0, *, rate_hz: int = 16_000, channels: int = 1, sample_bytes: int = 2
) -> bytes:
    """A tone as a WAV file."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    tone = np.sin(2 * np.pi * 440 * times) * 0.5 * 2 ** (8 * sample_bytes - 1)
    raw = tone.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :sample_bytes]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(sample_bytes)
        file.setframerate(rate_hz)
        file.writeframes(np.repeat(raw, channels, axis=0).tobytes())
    return buffer.getvalue()


def audio(content: bytes | None = None, name: str = "talk.wav") -> dict[str, Any]:
    """The `files` argument of a request with the form field `audio`."""
    return {"audio": (name, wav() if content is None else content)}


def part(head: bytes, body: bytes = b"", boundary: bytes = b"XX") -> bytes:
    """One part of a multipart body, as bytes for odd ones."""
    return b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + body + b"\r\n"


def audio_part(content: bytes, file_name: bytes = b"talk.wav", name: bytes = b"audio") -> bytes:
    head = b'Content-Disposition: form-data; name="%b"; filename="%b"'
    return part(head % (name, file_name), content)


FORM_XX = {"content-type": "multipart/form-data; boundary=XX"}
END_XX = b"--XX--\r\n"


@dataclass(frozen=True)
class Answer:
    """A response read from a socket; `status` is 0 where the connection closed without one."""

    status: int
    body: str


@contextmanager
def connection(base_url: str) -> Iterator[socket.socket]:
    """A plain TCP connection to a server."""
    url = urlsplit(base_url)
    with socket.create_connection((url.hostname, url.port), timeout=WAIT_S) as stream:
        yield stream


def read_answer(stream: socket.socket) -> Answer:
    """The response up to the end of the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while block := stream.recv(65536):
            received += block
    status = re.match(rb"HTTP/1\.1 (\d{3})", received)
    return Answer(int(status[1]) if status else 0, received.partition(b"\r\n\r\n")[2].decode())


def head(line: str, *headers: str) -> bytes:
    """A request's head that asks the server to close the connection after its answer."""
    return "\r\n".join([line, "Host: localhost", "Connection: close", *headers, "", ""]).encode()


def metric(client: httpx.Client, name: str, **labels: str) -> float:
    """The value of one sample of `/metrics`, 0 where there is none yet."""
    text = client.get("/metrics").raise_for_status().text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """For what gives no event to wait for, such as the state of another process."""
    give_up = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up, f"waited in vain until {what}"
        time.sleep(0.02)


def open_descriptors() -> int:
    """How many this process has; servers of `running` are in it."""
    return len(os.listdir("/proc/self/fd"))


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, having checked its shape, ours or OpenAI's."""
    body = response.json()
    if response.request.url.path.startswith("/v1/"):
        assert set(body) == {"error"}
        assert set(body["error"]) == {"message", "type", "param", "code"}
        code, message = body["error"]["code"], body["error"]["message"]
    else:
        assert set(body) == {"error", "message", "requestId"}
        assert response.headers["x-request-id"] == body["requestId"]
        code, message = body["error"], body["message"]
    assert message
    assert_nothing_private(response.text)
    return response.status_code, code


def assert_nothing_private(text: str) -> None:
    """No stack trace and no path of this machine."""
    for private in (
        "Traceback",
        'File "',
        ".py",
        "/dev/fd",
        "/tmp",
        str(Path(__file__).parents[2]),
    ):
        assert private not in text
