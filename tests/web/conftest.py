"""Fixtures of the HTTP side: a server around fakes, and a site that `audioUrl` can point at."""

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2 as httpx
import pytest

from fakes import FakeInsights, FakeTranscriber
from web.support import serving, wav


@pytest.fixture(scope="module")
def transcriber() -> FakeTranscriber:
    """The engine of `api`; its `calls` hold the options of each request."""
    return FakeTranscriber()


@pytest.fixture(scope="module")
def api(transcriber: FakeTranscriber) -> Iterator[httpx.Client]:
    """A client of an open server that may fetch from loopback."""
    with serving(transcriber, FakeInsights(), allow_private_urls=True) as client:
        yield client


class _Site(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.pages = {
            "/talk.wav": (200, "audio/wav", wav()),
            "/page": (200, "text/html", b"<html>"),
            "/broken": (503, "text/plain", b"no"),
            "/big.wav": (200, "audio/wav", wav(40)),
            "/empty.wav": (200, "audio/wav", b""),
        }


class _Pages(BaseHTTPRequestHandler):
    server: _Site

    def do_GET(self) -> None:
        missing = (404, "text/plain", b"")
        status, media_type, body = self.server.pages.get(self.path, missing)
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Iterator[Callable[[str], str]]:
    """`site("/talk.wav")` is the URL of a page on loopback."""
    with _Site() as server:
        thread = threading.Thread(target=server.serve_forever, name="site")
        thread.start()
        yield lambda path: f"http://127.0.0.1:{server.server_port}{path}"
        server.shutdown()
        thread.join()


@pytest.fixture
def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
