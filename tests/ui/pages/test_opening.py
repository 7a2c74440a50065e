"""Pages are opened while parts of the old page ask for their next run: none of them stays empty."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from echostream_ui.library.sqlite.store import SqliteStore
from ui.recordings import add_recording, long_answer
from ui.site import Site, hasten, settle, site

NOWHERE = "http://127.0.0.1:1"
TITLE = "Planning of the launch"


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(NOWHERE, tmp_path_factory.mktemp("opening") / "library") as running:
        yield running


@pytest.fixture
def hasty(frontend: Site, page: Page) -> Page:
    """The library, with two recordings of one title more."""
    with closing(SqliteStore(frontend.library)) as store:
        for _ in range(2):
            add_recording(store, long_answer(3), title=TITLE)
    hasten(page)
    page.goto(frontend.url)
    return page


def is_open(page: Page, heading: str, path: str) -> None:
    expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(rf"\d/{path}$"))


def test_by_mouse(hasty: Page) -> None:
    page = hasty
    for _round in range(2):
        page.get_by_role("link", name=TITLE, exact=True).first.click()
        is_open(page, TITLE, r"recording\?id=[-\w]+")
        page.get_by_role("button", name="Delete").click()  # the server opens the library
        is_open(page, "Library", "")
        page.get_by_role("link", name="Bin", exact=True).click()
        is_open(page, "Bin", "bin")
        page.get_by_role("link", name=TITLE, exact=True).first.click()
        expect(page.get_by_text("is in the bin")).to_be_visible()
        page.get_by_role("link", name="Go to the bin").click()
        is_open(page, "Bin", "bin")
        page.get_by_role("link", name="Library", exact=True).click()
        is_open(page, "Library", "")


def test_by_keyboard_and_in_another_tab(hasty: Page) -> None:
    page = hasty
    page.get_by_role("link", name=TITLE, exact=True).first.press("Enter")
    is_open(page, TITLE, r"recording\?id=[-\w]+")
    page.go_back()
    is_open(page, "Library", "")
    page.get_by_role("button", name="Ask about these").press("Enter")
    is_open(page, "Ask", "ask")
    page.go_back()
    is_open(page, "Library", "")
    settle(page)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Bin", exact=True).click(button="middle")
    is_open(opened.value, "Bin", "bin")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=TITLE, exact=True).first.click(modifiers=["ControlOrMeta"])
    is_open(opened.value, TITLE, r"recording\?id=[-\w]+")
    is_open(page, "Library", "")
    page.get_by_role("link", name="Bin", exact=True).press("Enter")
    is_open(page, "Bin", "bin")
