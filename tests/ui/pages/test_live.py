"""The Live page in a real browser, whose microphone plays the sample."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Response, WebSocket, expect
from streamlit.testing.v1 import AppTest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from conftest import ROOT, word_error_rate
from echostream_ui.library.media import UNFINISHED, Media
from echostream_ui.library.search import Query
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.transcript import text_of
from echostream_ui.services import Services
from ui.conftest import whisper_api
from ui.microphone import QUESTION, SURVEY, LivePage, hearing, spoken
from ui.site import Site, chromium, site
from web.process import ServerProcess
from web.support import wait_until

_TOKEN = "a token that no browser may see"


@pytest.fixture
def api() -> Iterator[ServerProcess]:
    """Of one test, which may kill it."""
    with whisper_api() as server:
        yield server


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A frontend whose API wants a token; for tests that leave both as they are."""
    library = tmp_path_factory.mktemp("protected") / "library"
    with (
        whisper_api(API_BEARER_TOKEN=_TOKEN) as api,
        site(api.url, library, API_BEARER_TOKEN=_TOKEN) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A frontend without an API."""
    with site("http://127.0.0.1:1", tmp_path_factory.mktemp("alone") / "library") as running:
        yield running


def kept(library: Path) -> tuple[Media, str]:
    """The newest recording of a library, once it is finished, and its text."""
    with closing(SqliteStore(library)) as store:

        def newest() -> Media:
            return store.search(Query()).rows[0].media

        wait_until(lambda: newest().state not in UNFINISHED, "the recording is finished")
        media = newest()
        wait_until(lambda: store.audio(media.id) is not None, "its audio is in the library")
        analysis = store.analysis(media.id)
    assert media.state == "completed", media.message
    assert analysis is not None
    assert analysis.response is not None
    return media, text_of(analysis.response, {})


def assert_says(text: str, turns: slice) -> None:
    assert word_error_rate(spoken(turns), text) < 0.15, text


class Received:
    """All that a browser is told, and what it says over the recorder's WebSocket."""

    def __init__(self, page: Page) -> None:
        self.told: list[str] = []
        self.said: list[str] = []
        self._responses: list[Response] = []
        page.on("response", lambda response: self._responses.append(response))
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: self.told.append(str(frame)))
        if socket.url.endswith("/live/socket"):
            socket.on("framesent", lambda frame: self.said.append(str(frame)))

    def all_told(self) -> str:
        ours = [one for one in self._responses if one.status == 200]
        bodies = [one.body().decode(errors="replace") for one in ours]
        headers = [str(one.headers) for one in ours]
        return "\n".join([*self.told, *bodies, *headers])


def test_what_is_said_is_shown_and_ends_in_the_library(protected: Site, tmp_path: Path) -> None:
    with hearing(SURVEY, tmp_path) as browser:
        page = browser.new_page()
        received = Received(page)
        live = LivePage(page, protected)
        live.start_button.click()
        live.tentative.filter(has_text=re.compile(r"\w")).wait_for()
        live.wait_for("survey is complete")
        before = live.text
        expect(page.get_by_text("s behind")).to_be_visible()
        live.wait_for("ready")
        live.wait_for_end(SURVEY)
        assert live.text.startswith(before)
        live.stop()
        page.get_by_text("Topics: ").wait_for()
        assert_says(live.text, SURVEY)

        page.get_by_role("link", name="Open the recording").click()
        page.wait_for_url("**/recording?id=*")
        media, text = kept(protected.library)
        assert parse_qs(urlsplit(page.url).query)["id"] == [media.id]
        assert_says(text, SURVEY)
        assert media.source == "live"
        assert media.title.startswith("Live, ")  # offline insights have no better one
        assert_it_plays(page, media)
        assert_nothing_secret(received)
        assert_a_ticket_is_good_once(received, protected)


def assert_it_plays(page: Page, media: Media) -> None:
    """Also from the middle: a browser's recording has neither length nor index by itself."""
    duration_s, time_s = page.evaluate(
        """async (path) => {
            const audio = new Audio(path);
            const event = (name) => new Promise((done, failed) => {
                audio.addEventListener(name, done, { once: true });
                audio.addEventListener("error", () => failed(audio.error.message));
            });
            audio.preload = "metadata";
            await event("loadedmetadata");
            const seeked = event("seeked");
            audio.currentTime = 6;
            await seeked;
            return [audio.duration, audio.currentTime];
        }""",
        f"/audio/{media.id}",
    )
    assert media.duration_s is not None
    assert duration_s == pytest.approx(media.duration_s, abs=0.3)
    assert time_s == pytest.approx(6)


def assert_nothing_secret(received: Received) -> None:
    told = received.all_told()
    assert "survey is complete" in told
    assert _TOKEN not in told


def assert_a_ticket_is_good_once(received: Received, frontend: Site) -> None:
    used = json.loads(received.said[0])
    assert closed_with(frontend, used) == 4401
    assert closed_with(frontend, used | {"ticket": "another"}) == 4401
    assert closed_with(frontend, {"secret": "no such secret"}) == 4401
    assert closed_with(frontend, used | {"ext": "exe"}) == 4400
    assert closed_with(frontend, "no object") == 4400


def closed_with(frontend: Site, hello: object) -> int:
    address = frontend.url.replace("http", "ws", 1) + "/live/socket"
    with connect(address, proxy=None) as socket:
        socket.send(json.dumps(hello))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    return int(closed.value.rcvd.code)


def test_a_window_that_is_closed(protected: Site, tmp_path: Path) -> None:
    with hearing(QUESTION, tmp_path) as browser:
        page = browser.new_page()
        LivePage(page, protected).record_all(QUESTION, "ready")
        page.close()
        _, text = kept(protected.library)
    assert_says(text, QUESTION)


# Keeps what the page opens, so that a test can break it.
_KEEP_SOCKETS = """
window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    if (this.url.endsWith("/live/socket")) window.sockets.push(this);
  }
};
"""


def test_a_connection_that_breaks_while_other_pages_are_shown(
    protected: Site, tmp_path: Path
) -> None:
    with hearing(SURVEY, tmp_path) as browser:
        page = browser.new_page()
        page.add_init_script(_KEEP_SOCKETS)
        live = LivePage(page, protected)
        page.get_by_label("Title").fill("Survey *talk*")
        live.start_button.click()
        live.wait_for("survey")
        page.get_by_role("link", name="Library").click()
        bar = page.get_by_role("region", name="Recording", exact=True)
        expect(bar.get_by_role("status")).to_have_text("The recording goes on.")
        page.evaluate("window.sockets[0].close(3000); window.echostreamRecording.mark()")
        page.get_by_role("link", name="Add").click()
        bar.get_by_role("button", name="Show the text").click()
        live.wait_for("ready")
        expect(bar).to_be_hidden()
        live.wait_for_end(SURVEY)
        assert page.evaluate("window.sockets.length") == 2
        expect(page.get_by_label("Title")).to_have_value("Survey *talk*")
        page.get_by_role("link", name="Library").click()
        bar.get_by_role("button", name="Stop").click()
        bar.get_by_role("link", name="Open the recording").click()
        page.wait_for_url("**/recording?id=*")
        media, text = kept(protected.library)
        assert parse_qs(urlsplit(page.url).query)["id"] == [media.id]
    assert_says(text, SURVEY)
    assert media.title == "Survey *talk*"
    with closing(SqliteStore(protected.library)) as store:
        analysis = store.analysis(media.id)
    assert analysis is not None
    assert len(analysis.bookmarks) == 1  # set while there was no connection


def test_an_api_that_dies_and_comes_back(api: ServerProcess, tmp_path: Path) -> None:
    with site(api.url, tmp_path / "library") as frontend, hearing(QUESTION, tmp_path) as browser:
        live = LivePage(browser.new_page(), frontend)
        live.record_all(QUESTION, "ready")
        api.signal(signal.SIGKILL)
        expect(live.notice).to_contain_text("The recording goes on")
        live.stop()
        expect(live.notice).to_contain_text("The recording is safe")
        live.page.get_by_text("cannot be reached").first.wait_for()
        port = str(urlsplit(api.url).port)
        with whisper_api(PORT=port):
            live.page.get_by_text("Topics: ").wait_for()
            _, text = kept(frontend.library)
    assert_says(text, QUESTION)


def test_no_api_at_all(alone: Site, tmp_path: Path) -> None:
    with hearing(QUESTION, tmp_path) as browser:
        live = LivePage(browser.new_page(), alone)
        live.start_button.click()
        expect(live.notice).to_contain_text("cannot be reached. There is no live text, but")
        live.stop()
        expect(live.notice).to_contain_text("The recording is safe")


def test_a_frontend_that_dies(api: ServerProcess, tmp_path: Path) -> None:
    library = tmp_path / "library"
    with hearing(QUESTION, tmp_path) as browser:
        with site(api.url, library) as frontend:
            LivePage(browser.new_page(), frontend).record_all(QUESTION, "ready")
            frontend.popen.kill()
        with site(api.url, library):
            _, text = kept(library)
    assert_says(text, QUESTION)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--use-fake-device-for-media-stream", "--deny-permission-prompts"], "Allow it"),
        (["--use-fake-ui-for-media-stream"], "There is no microphone"),
    ],
)
def test_a_microphone_that_cannot_be_had(alone: Site, flags: list[str], words: str) -> None:
    with chromium(*flags, asks=True) as browser:
        live = LivePage(browser.new_page(), alone)
        live.start_button.click()
        expect(live.page.get_by_role("alert").filter(has_text=words)).to_be_visible()
        expect(live.start_button).to_be_enabled()


def test_the_form(app_services: Services) -> None:
    assert app_services.library is not None
    test = AppTest.from_file(str(ROOT / "src" / "echostream_ui" / "pages" / "live.py")).run()
    assert not test.exception
    assert test.title[0].value == "Live"
    assert test.text_input[0].label == "Title"
    assert {"English", "German"} < set(test.selectbox[0].options)
    assert test.selectbox[0].value == ""
