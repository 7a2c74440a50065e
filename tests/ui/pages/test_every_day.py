"""Walks through a day: by keyboard what other tests do with a mouse, and the other way."""

import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from echostream_ui.library.search import Query
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.pages.sample import TITLE
from ui.recordings import MEETING, add_recording
from ui.site import Site, settle, site
from ui.standins import ANSWER
from web.support import wait_until

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def frontend(tmp_path: Path) -> Iterator[Site]:
    """Without an API: what is added waits."""
    with site(NOWHERE, tmp_path / "library") as running:
        yield running


def press(page: Page, control: Locator, key: str = "Enter") -> None:
    settle(page)
    control.focus()
    page.keyboard.press(key)


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def states(store: SqliteStore) -> list[str]:
    return [row.media.state for row in store.search(Query(sort="title", descending=False)).rows]


def test_the_library_and_the_dashboard_by_keyboard(
    page: Page, frontend: Site, store: SqliteStore
) -> None:
    now = {"created_at": datetime.now(UTC)}
    talks = [add_recording(store, ANSWER, title=title, **now) for title in ("First", "Second")]
    page.goto(frontend.url)
    settle(page)
    page.get_by_role("textbox", name="Search").focus()
    page.keyboard.type("talked budget")
    page.keyboard.press("Enter")
    press(page, page.locator(".match").first)
    expect(page).to_have_url(re.compile(r"/recording\?id=.*&t=0.*&q=talked"))
    expect(page.locator("mark.here")).to_have_text("talked")
    page.go_back()
    expect(page.get_by_text("2 recordings.")).to_be_visible()

    press(page, page.get_by_role("checkbox", name="Select all on this page"), "Space")
    press(page, button(page, "Tag"))
    settle(page)
    page.get_by_label("New tags").focus()
    page.keyboard.type("quarter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert [store.media(each).tags for each in talks] == [("quarter",)] * 2
    press(page, button(page, "Export"))
    with page.expect_download() as download:
        press(page, button(page, "Download 2 recordings"))
    with zipfile.ZipFile(download.value.path()) as packed:
        assert len(packed.namelist()) == 2
    press(page, button(page.get_by_role("dialog"), "Close"))
    expect(page.get_by_role("dialog")).to_have_count(0)

    press(page, page.get_by_role("link", name="Dashboard", exact=True))
    expect(page.get_by_role("heading", name="Still to do")).to_be_visible()
    press(page, page.get_by_role("main").get_by_role("checkbox").first, "Space")
    expect(page.get_by_text("Marked as done")).to_be_visible()
    assert len(store.open_items()) == 1
    press(page, page.get_by_role("link", name=re.compile("First|Second")).first)
    expect(page.locator(".line").first).to_contain_text("We talked about the budget.")


def test_a_link_is_added_stopped_and_tried_again_by_keyboard(
    page: Page, frontend: Site, store: SqliteStore
) -> None:
    page.goto(f"{frontend.url}/add")
    press(page, page.get_by_role("tab", name="Files"), "ArrowRight")
    page.keyboard.press("Enter")
    links = page.get_by_label("or to podcasts")
    expect(links).to_be_visible()
    settle(page)
    links.focus()
    page.keyboard.type("http://127.0.0.1:1/talk.mp3")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    press(page, page.get_by_role("tabpanel").get_by_role("button", name="Add", exact=True))
    expect(page.get_by_role("heading", name="Under way")).to_be_visible()
    press(page, button(page, "Cancel"))
    expect(button(page, "Try again")).to_be_visible()
    assert states(store) == ["cancelled"]
    press(page, button(page, "Try again"))
    expect(button(page, "Cancel")).to_be_visible()
    press(page, button(page, "Cancel"))
    press(page, button(page, "Remove"))
    wait_until(lambda: states(store) == [], "it is in the bin")


def test_the_sample_and_what_is_there_already_by_mouse(
    page: Page, frontend: Site, store: SqliteStore
) -> None:
    page.goto(frontend.url)
    button(page, "Try a sample recording").click()
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    for choice, found in (("Open", 1), ("Leave out", 1), ("Add all the same", 2)):
        page.goto(f"{frontend.url}/add")
        page.locator("input[type=file]").first.set_input_files(str(MEETING))
        expect(page.get_by_text(MEETING.name).first).to_be_visible()
        button(page, "Add").first.click()
        held = page.get_by_text("is in the library already, as “Sample")
        expect(held).to_be_visible()
        settle(page)
        page.get_by_role("link" if choice == "Open" else "button", name=choice).click()
        if choice == "Open":
            expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
        else:
            expect(held).to_have_count(0)
        wait_until(lambda found=found: len(states(store)) == found, f"{found} are there")
