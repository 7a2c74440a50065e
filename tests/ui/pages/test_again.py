"""A recording is transcribed again, and a sample tried, in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from conftest import SAMPLE
from echostream_ui.library.search import Query
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.pages.sample import TITLE
from ui.recordings import add_recording, long_answer
from ui.site import Site, settle

OLD = "This is sentence 0 of a long meeting about the budget."
EDITED = "This is what I have written."
HEARD = "The security audit is the main problem."


@contextmanager
def library(site: Site) -> Iterator[SqliteStore]:
    store = SqliteStore(site.library)
    yield store
    store.close()


@pytest.fixture
def recording(frontend: Site) -> str:
    """One whose transcript is another one than the API would make, and edited."""
    with library(frontend) as store:
        media_id = add_recording(store, long_answer(3), title="Mine", tags=("team",))
        store.update_analysis(media_id, edits={0: EDITED})
    return media_id


def test_again_and_back_by_mouse(frontend: Site, page: Page, recording: str) -> None:
    page.goto(f"{frontend.url}/recording?id={recording}")
    expect(page.get_by_text(EDITED)).to_be_visible()
    page.get_by_role("button", name="Transcribe again").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Generate insights", exact=True).click()
    settle(page)
    dialog.get_by_role("button", name="Transcribe", exact=True).click()
    expect(page.get_by_text(HEARD).first).to_be_visible(timeout=90_000)
    expect(page.get_by_text(EDITED)).to_have_count(0)
    expect(page.get_by_role("heading", name="Mine")).to_be_visible()
    with library(frontend) as store:
        assert store.media(recording).tags == ("team",)
        assert store.analysis(recording).request["insights"] is False
    settle(page)
    page.get_by_role("button", name="Transcribe again").click()
    expect(dialog.get_by_text("with 1 changed line")).to_be_visible()
    dialog.get_by_role("button", name="Go back to it").click()
    expect(page.get_by_text(EDITED)).to_be_visible()
    expect(page.get_by_text(HEARD)).to_have_count(0)


def test_again_by_keyboard(frontend: Site, page: Page, recording: str) -> None:
    page.goto(f"{frontend.url}/recording?id={recording}")
    expect(page.get_by_text(EDITED)).to_be_visible()
    settle(page)
    opener = page.get_by_role("button", name="Transcribe again")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    settle(page)
    go = dialog.get_by_role("button", name="Transcribe", exact=True)
    for _ in range(30):
        if go.evaluate("button => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.get_by_text(HEARD).first).to_be_visible(timeout=90_000)


def test_the_sample_of_an_empty_library_by_keyboard(frontend: Site, page: Page) -> None:
    with library(frontend) as store:
        store.delete([row.media.id for row in store.search(Query()).rows])
    page.goto(frontend.url)
    settle(page)
    button = page.get_by_role("button", name="Try a sample recording")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    expect(page.get_by_text(HEARD).first).to_be_visible(timeout=90_000)
    with library(frontend) as store:
        [row] = store.search(Query()).rows
        assert row.media.size_bytes == SAMPLE.stat().st_size


def test_the_logo_is_ours(frontend: Site, page: Page) -> None:
    page.goto(frontend.url)
    logo = page.get_by_test_id("stHeaderLogo").or_(page.get_by_test_id("stLogo")).first
    expect(logo).to_be_visible()
    assert logo.evaluate("image => image.naturalWidth / image.naturalHeight") > 3, "with its name"
