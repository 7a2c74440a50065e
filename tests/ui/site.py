"""The frontend as a process of its own, and a browser to look at it with."""

import http.server
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2 as httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright

import forks
from conftest import ROOT

_START_S = 60.0
_END_S = 30.0
_CHROMIUM = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--process-per-site",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing outside this machine
)
_MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@dataclass(frozen=True)
class Site:
    """A running frontend."""

    url: str
    library: Path
    popen: forks.Forked

    @property
    def log(self) -> Path:
        return self.library.with_suffix(".log")


@contextmanager
def site(
    api_url: str, library: Path, *, port: int | None = None, **environment: str
) -> Iterator[Site]:
    """A real frontend on a free port; ended on leaving, at the latest."""
    settings = {"API_BASE_URL": api_url, "LIBRARY_PATH": str(library), **environment}
    script, log = ROOT / "src" / "echostream_ui" / "app.py", library.with_suffix(".log")
    with streamlit_site(script, log, port=port, **settings) as (url, popen):
        yield Site(url, library, popen)


@contextmanager
def streamlit_site(
    script: Path, log: Path, *, port: int | None = None, **environment: str
) -> Iterator[tuple[str, forks.Forked]]:
    """The address of any Streamlit script, by default on a free port, and its process."""
    port = port or free_port()
    command = ["-m", "streamlit", "run", str(script)]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    with log.open("ab") as output:
        said = output.fileno()
        popen = forks.start(command, {**os.environ, **environment}, stdout=said, stderr=said)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(url, popen, log)
        yield url, popen
    finally:
        popen.terminate()
        try:
            popen.wait(_END_S)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()
        print(log.read_text(errors="replace"))  # shown if the test has failed


@contextmanager
def chromium(*more: str, asks: bool = False) -> Iterator[Browser]:
    """Debian's browser, without a screen. The one that cannot have any takes half of the time, but
    never asks whether a page may use a microphone."""
    program = None if asks else shutil.which("chromium-headless-shell")
    program = program or shutil.which("chromium")
    assert program, "the tests need chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*_CHROMIUM, *more])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def with_microphone(browser: Browser) -> Iterator[Browser]:
    """Another one like `browser`, with a microphone that pages may use. Playwright starts only once
    in a thread."""
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    heard = browser.browser_type.launch(executable_path=program, args=[*_CHROMIUM, *_MICROPHONE])
    try:
        yield heard
    finally:
        heard.close()


# Parts of a page that run every few seconds do so all the time, and what the server tells is late.
_HASTE = """
const patient = window.setInterval;
window.setInterval = (work, ms, ...more) => patient(work, ms >= 500 ? 60 : ms, ...more);
const listen = WebSocket.prototype.addEventListener;
WebSocket.prototype.addEventListener = function (kind, hear, ...more) {
  const late = kind === "message" ? (event) => setTimeout(hear, 150, event) : hear;
  return listen.call(this, kind, late, ...more);
};
"""


def hasten(page: Page) -> None:
    """Makes the rule of what is rare: that the old page asks for another run of one of its parts
    while the server already sends the new page."""
    page.add_init_script(_HASTE)


def settle(page: Page) -> None:
    """Wait until the page is whole and still. Before, a form does not take Enter (its button may
    not be there yet), a list that is opened closes again (the page scrolls while parts unfold),
    and a button moves aside for the next one."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_function("document.getAnimations().every(one => one.playState !== 'running')")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A web server for the files of a folder."""
    handler = partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing to say in a test's output."""


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_up(url: str, popen: forks.Forked, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and popen.poll() is None:
        try:
            httpx.get(f"{url}/_stcore/health", trust_env=False).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the frontend does not start:\n{log.read_text()}")
