"""The library in a real browser, with ten thousand recordings in it."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import Query
from processes import cpu_s
from ui.seeded import multiply, seed
from ui.site import Site, site
from web.process import ServerProcess

MANY = 10_000
LITTLE_S = 0.7
"""CPU time in which a page can be made that people do not wait for."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large") / "library"
    store = SqliteStore(folder)
    made = seed(store, MANY // 20)
    multiply(folder, 20)
    store.update_media(made[7].id, title="The zebra meeting")
    store.close()
    return folder


@pytest.fixture(scope="module")
def frontend(api: ServerProcess, large: Path) -> Iterator[Site]:
    with site(api.url, large) as running:
        yield running


@pytest.fixture
def store(frontend: Site) -> Iterator[SqliteStore]:
    store = SqliteStore(frontend.library)
    yield store
    store.close()


def search(page: Page, words: str) -> None:
    page.get_by_role("textbox", name="Search").fill(words)
    page.get_by_role("textbox", name="Search").press("Enter")


def cell(page: Page, text: str) -> Locator:
    """A cell of the table as a screen reader finds it; what is seen is a picture."""
    whole = re.compile(rf"^{re.escape(text)}$")  # no. 1 is not no. 12
    return page.locator("td[role=gridcell]", has_text=whole)


def click_row(page: Page, row: int, x: int) -> None:
    """The table is drawn: rows are found by their height."""
    box = page.get_by_test_id("stDataFrame").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x, box["y"] + 35 * (row + 1) + 17)


def open_library(page: Page, frontend: Site) -> None:
    page.goto(frontend.url)
    expect(page.get_by_text("Click one to open it")).to_be_visible()


def test_a_search_finds_words_of_a_title_and_of_a_transcript(frontend: Site, page: Page) -> None:
    open_library(page, frontend)
    expect(page.get_by_text("10,000 recordings")).to_be_visible()
    search(page, "zebra")
    expect(page.get_by_text("1 recording.")).to_be_visible()
    expect(cell(page, "The zebra meeting")).to_be_attached()
    click_row(page, 0, 200)
    expect(page).to_have_url(re.compile(r"/recording\?id="))
    page.go_back()
    expect(page.get_by_role("textbox", name="Search")).to_have_value("zebra")


def test_words_that_nobody_said(frontend: Site, page: Page) -> None:
    open_library(page, frontend)
    search(page, "xylophone 100%")
    expect(page.get_by_text("No recording matches")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_text("10,000 recordings")).to_be_visible()


def test_filters_narrow_it_down(frontend: Site, page: Page, store: SqliteStore) -> None:
    expected = store.search(Query(languages=("de",), sentiments=("negative",))).total
    open_library(page, frontend)
    page.get_by_role("button", name="Filter").click()
    pick(page, "Language", "German")
    pick(page, "Sentiment", "Negative")
    expect(page.get_by_text(f"{expected:,} recordings.")).to_be_visible()


def pick(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option).click()
    page.keyboard.press("Escape")


def test_pages_go_to_the_last(frontend: Site, page: Page, store: SqliteStore) -> None:
    last = store.search(Query(limit=1, offset=MANY - 50)).rows[0].media.title
    open_library(page, frontend)
    page.get_by_role("button", name="Page 200").click()
    expect(cell(page, last)).to_be_attached()


def test_several_are_tagged_exported_and_deleted(
    frontend: Site, page: Page, store: SqliteStore
) -> None:
    before = store.search(Query())
    first, second = (row.media for row in before.rows[:2])
    open_library(page, frontend)
    expect(cell(page, first.title)).to_be_attached()
    click_row(page, 0, 16)
    click_row(page, 1, 16)
    expect(page.get_by_text("2 recordings selected")).to_be_visible()

    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_role("combobox", name="Add").fill("quarter")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # the list of tags covers the button
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert all("quarter" in store.media(one.id).tags for one in (first, second))

    expect(page.get_by_text("2 recordings selected")).to_be_visible()
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download 2 recordings").click()
    with zipfile.ZipFile(downloading.value.path()) as packed:
        assert len(packed.namelist()) == 2
        assert b"We talked about" in packed.read(packed.namelist()[0])
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(first.title)).to_be_visible()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("9,998 recordings")).to_be_visible()
    assert store.media(first.id) is None


@pytest.mark.parametrize(
    ("link", "sign"), [("Library", "Click one to open it"), ("Dashboard", "Still to do")]
)
def test_ten_thousand_recordings_take_little_time(
    frontend: Site, page: Page, link: str, sign: str
) -> None:
    page.goto(f"{frontend.url}/add")
    expect(page.get_by_role("heading", name="Add recordings")).to_be_visible()
    times = []
    for _ in range(3):  # the first time, it also imports
        before = cpu_s(frontend.popen.pid)
        page.get_by_role("link", name=link).click()
        expect(page.get_by_text(sign)).to_be_visible()
        times.append(cpu_s(frontend.popen.pid) - before)
        page.get_by_role("link", name="Add").click()
        expect(page.get_by_role("heading", name="Add recordings")).to_be_visible()
    assert min(times) < LITTLE_S, times
