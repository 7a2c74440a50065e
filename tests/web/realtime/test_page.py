"""`examples/live.html` in a browser whose microphone hears the sample, over either protocol."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import expect

from conftest import ROOT, TINY_WHISPER
from ui.microphone import QUESTION, hearing, spoken
from web.process import server_process

TOKEN = "t0ken-of-the-tests"
WAIT_MS = 60_000


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def examples() -> Iterator[str]:
    """The origin of a server of the folder."""
    handler = partial(_Quiet, directory=str(ROOT / "examples"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="examples")
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_live(tmp_path: Path) -> None:
    with (
        examples() as origin,
        server_process(
            API_BEARER_TOKEN=TOKEN,
            ASR_ENGINE="whisper",
            WHISPER_MODEL=str(TINY_WHISPER),
            CORS_ORIGINS=origin,
        ) as api,
        hearing(QUESTION, tmp_path) as browser,
    ):
        for protocol in ("realtime", "socketio"):
            context = browser.new_context()
            page = context.new_page()
            page.goto(f"{origin}/live.html")
            page.get_by_label("Server").fill(api.url)
            page.get_by_label("Token").fill(TOKEN)
            page.get_by_label("Protocol").select_option(protocol)
            page.get_by_role("button", name="Record").click()
            certain = page.locator("#certain")
            # The microphone may come on in the middle of the question, of which the tests' small
            # model then is not sure but for the end, and of that not of the first letter.
            said = spoken(QUESTION)[:-1].split()[-1]
            expect(certain).to_contain_text(said[1:], timeout=WAIT_MS)
            page.get_by_role("button", name="Stop").click()
            expect(page.get_by_role("button", name="Record")).to_be_enabled(timeout=WAIT_MS)
            expect(certain).to_contain_text(said)
            expect(page.get_by_role("alert")).to_have_text("")
            context.close()


@pytest.mark.parametrize("protocol", ["realtime", "socketio"])
def test_a_wrong_token_is_told(protocol: str, tmp_path: Path) -> None:
    with (
        examples() as origin,
        server_process(API_BEARER_TOKEN=TOKEN, CORS_ORIGINS=origin) as api,
        hearing(QUESTION, tmp_path) as browser,
    ):
        page = browser.new_page()
        page.goto(f"{origin}/live.html")
        page.get_by_label("Server").fill(api.url)
        page.get_by_label("Token").fill("wrong")
        page.get_by_label("Protocol").select_option(protocol)
        page.get_by_role("button", name="Record").click()
        told = "connection closed (1006)" if protocol == "realtime" else "unauthorized"
        expect(page.get_by_role("alert")).to_have_text(told, timeout=WAIT_MS)
        expect(page.get_by_role("button", name="Record")).to_be_enabled()
