"""Recordings added in a real browser: files, addresses, the queue, an API that dies."""

import base64
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from conftest import SAMPLE, sample_pcm, sample_text, word_error_rate, write_wav
from echostream_ui.library.sqlite.store import SqliteStore
from redis_server import RedisServer
from ui.conftest import whisper_api
from ui.site import Site, served, settle, site

# Notes what each progress bar says, however briefly.
_WATCH_BARS = """
window.seenShares = new Set();
new MutationObserver(() => {
  for (const bar of document.querySelectorAll('[role=progressbar]'))
    window.seenShares.add(Number(bar.getAttribute('aria-valuenow')));
}).observe(document, {subtree: true, childList: true, attributes: true});
"""

_HAS_MOVED = "() => [...window.seenShares].filter(share => share > 0 && share < 100).length > 2"


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample six times over, with a shift so that no two pieces are the same."""
    import numpy as np

    path = tmp_path_factory.mktemp("audio") / "long.wav"
    return write_wav(path, np.tile(sample_pcm(), 6))


def choose(page: Page, site: Site, *paths: Path) -> None:
    page.goto(f"{site.url}/add")
    page.locator("input[type=file]").first.set_input_files([str(path) for path in paths])
    for path in paths:
        expect(page.get_by_text(path.name).first).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).first.click()


def item(page: Page, name: str) -> Locator:
    """The box of one recording."""
    return page.get_by_test_id("stVerticalBlock").filter(has_text=name).last


def press(page: Page, name: str) -> None:
    """Click a button of a row that changes: it is drawn piece by piece."""
    settle(page)
    page.get_by_role("button", name=name).click()


@contextmanager
def library(site: Site) -> Iterator[SqliteStore]:
    store = SqliteStore(site.library)
    yield store
    store.close()


def test_a_file_is_transcribed_and_its_insights_read(frontend: Site, page: Page) -> None:
    choose(page, frontend, SAMPLE)
    page.get_by_role("link", name="Open").click()
    expect(page.get_by_text("The security audit is the main problem.").first).to_be_visible()
    with library(frontend) as store:
        (media,) = [row.media for row in store.search(_all()).rows]
        analysis = store.analysis(media.id)
        assert media.duration_s == pytest.approx(len(sample_pcm()) / 16_000, abs=0.1)
        assert word_error_rate(sample_text(), analysis.response["transcript"]) < 0.1
        assert analysis.action_items
    expect(page.get_by_text(analysis.insights["summary"]).first).to_be_visible()


def test_several_at_once_and_what_is_wrong_with_one(
    frontend: Site, page: Page, tone: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no sound at all")
    choose(page, frontend, tone, notes)
    expect(page.get_by_role("link", name="Open")).to_be_visible()
    expect(page.get_by_text("Choose a file that plays")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Choose a file that plays")).to_have_count(0)


_FILE = """([name, content]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
  transfer.items.add(new File([bytes], name));
  return transfer;
}"""


def test_a_file_is_dropped(frontend: Site, page: Page, tone: Path) -> None:
    page.goto(f"{frontend.url}/add")
    expect(page.get_by_text("MP3, M4A, AAC, WAV")).to_be_visible()
    settle(page)
    content = base64.b64encode(tone.read_bytes()).decode()
    transfer = page.evaluate_handle(_FILE, ["dropped.wav", content])
    place = page.get_by_test_id("stFileUploaderDropzone").first
    place.dispatch_event("drop", {"dataTransfer": transfer})
    expect(page.get_by_text("dropped.wav").first).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).first.click()
    expect(page.get_by_role("link", name="Open")).to_be_visible()
    expect(item(page, "dropped.wav")).to_be_visible()


def test_speakers_are_asked_for(frontend: Site, page: Page, tmp_path: Path) -> None:
    page.goto(f"{frontend.url}/add")
    # First, since Streamlit loses a file that is chosen just when it begins to draw the page anew:
    # with the rest of its queue it drops the address that the file is to be sent to.
    longer = tmp_path / "longer.wav"  # the library has the sample already
    longer.write_bytes(SAMPLE.read_bytes() + bytes(2))
    page.locator("input[type=file]").first.set_input_files([str(longer)])
    expect(page.get_by_text(longer.name).first).to_be_visible()
    page.get_by_text("Options", exact=True).click()
    settle(page)
    page.get_by_label("Speakers").click()
    page.get_by_role("option", name="2 speakers").click()
    page.get_by_role("button", name="Add", exact=True).first.click()
    expect(page.get_by_role("heading", name="Recently added")).to_be_visible(timeout=90_000)
    # The lists among the options have buttons of that name, too.
    page.get_by_role("link", name="Open").click()
    expect(page.locator(".speaker").first).to_have_text("A")
    with library(frontend) as store:
        media = next(row.media for row in store.search(_all()).rows)
        analysis = store.analysis(media.id)
        assert analysis.request["numSpeakers"] == 2
        assert analysis.response["speakers"][0]["id"] == "A"


def test_an_address(page: Page, tmp_path: Path) -> None:
    with (
        served(SAMPLE.parent) as address,
        whisper_api(ALLOW_PRIVATE_URLS="true") as api,
        site(api.url, tmp_path / "library") as frontend,
    ):
        page.goto(f"{frontend.url}/add")
        page.get_by_role("tab", name="Links").click()
        box = page.get_by_label("Links to audio or video files or to podcasts, one per line")
        box.fill(f"{address}/meeting.wav\nnonsense")
        page.get_by_role("tabpanel").get_by_role("button", name="Add").click()
        expect(page.get_by_text("is not a web address")).to_be_visible()
        expect(page.get_by_role("link", name="Open")).to_be_visible()
        with library(frontend) as store:
            (row,) = store.search(_all("completed")).rows
            assert row.media.source_name == f"{address}/meeting.wav"


def test_the_queue_shows_its_progress(page: Page, tmp_path: Path, long_recording: Path) -> None:
    with RedisServer() as redis:
        queue = {
            "USE_QUEUE": "true",
            "RUN_WORKER": "true",
            "REDIS_URL": redis.url,
            "STORAGE_URL": f"file://{tmp_path / 'jobs'}",
            "WHISPER_BATCH_SIZE": "1",  # a step of the bar for each window
        }
        with whisper_api(**queue) as api, site(api.url, tmp_path / "library") as frontend:
            page.add_init_script(_WATCH_BARS)
            choose(page, frontend, long_recording)
            page.wait_for_function(_HAS_MOVED)
            page.get_by_role("link", name="Library").click()  # it goes on without the page
            expect(page.get_by_role("heading", name="Library")).to_be_visible()
            expect(page.locator(".state", has_text="Under way")).to_be_visible()
            page.get_by_role("link", name="Add").click()
            expect(page.get_by_role("heading", name="Add recordings")).to_be_visible()
            expect(page.get_by_role("link", name="Open")).to_be_visible(timeout=90_000)
            with library(frontend) as store:
                (row,) = store.search(_all("completed")).rows
                assert row.media.duration_s == pytest.approx(6 * 60.7, abs=6)


def test_an_api_that_dies_midway_is_waited_for(
    page: Page, tmp_path: Path, long_recording: Path
) -> None:
    with whisper_api() as api:
        port = api.url.rpartition(":")[2]
        with site(api.url, tmp_path / "library") as frontend:
            choose(page, frontend, long_recording)
            expect(page.get_by_text("Transcribing")).to_be_visible()
            api.signal(signal.SIGKILL)
            expect(page.get_by_text("cannot be reached").first).to_be_visible()
            with whisper_api(PORT=port):
                expect(page.get_by_text("cannot be reached")).to_have_count(0)
                expect(page.get_by_role("link", name="Open")).to_be_visible(timeout=90_000)


def test_cancelled_and_tried_again(
    frontend: Site, page: Page, tmp_path: Path, long_recording: Path
) -> None:
    choose(page, frontend, long_recording)
    expect(page.get_by_text("Transcribing")).to_be_visible()
    press(page, "Cancel")
    expect(page.get_by_text("Cancelled")).to_be_visible()
    expect(page.get_by_role("button", name="Remove")).to_be_visible()
    press(page, "Try again")
    expect(page.get_by_text("Transcribing")).to_be_visible()
    press(page, "Cancel")
    expect(page.get_by_text("Cancelled")).to_be_visible()
    press(page, "Remove")
    expect(page.get_by_text("long.wav")).to_have_count(0)


def _all(state: str = "completed"):
    from echostream_ui.library.search import Query

    return Query(states=(state,))
