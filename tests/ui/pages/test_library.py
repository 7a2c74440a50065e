"""The library in a real browser, with ten thousand recordings in it."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from echostream_ui.library.search import Query
from echostream_ui.library.sqlite.store import SqliteStore
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


def search(page: Page, words: str) -> None:
    page.get_by_role("textbox", name="Search").fill(words)
    page.get_by_role("textbox", name="Search").press("Enter")


def link(page: Page, title: str) -> Locator:
    return page.get_by_role("link", name=title, exact=True)


def box(page: Page, title: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Select {title}", exact=True)


def open_library(page: Page, frontend: Site) -> None:
    page.goto(frontend.url)
    expect(page.get_by_text("Ask about these")).to_be_visible()


def test_a_search_finds_words_of_a_title_and_of_a_transcript(frontend: Site, page: Page) -> None:
    open_library(page, frontend)
    expect(page.get_by_text("10,000 recordings")).to_be_visible()
    search(page, "zebra talked")
    expect(page.get_by_text("1 recording.")).to_be_visible()
    expect(page.locator(".source")).to_have_count(1)  # the rows of before go a moment later
    expect(page.locator(".source")).to_have_text("recording-8.m4a")
    expect(page.locator(".match mark").first).to_have_text("talked")
    link(page, "The zebra meeting").click()
    expect(page).to_have_url(re.compile(r"/recording\?id=.*&q=talked"))
    expect(page.locator("mark.here")).to_have_text("talked")
    page.go_back()
    expect(page.get_by_role("textbox", name="Search")).to_have_value("zebra talked")


def test_the_keyboard_moves_in_the_list_and_opens_what_is_wanted(
    frontend: Site, page: Page, store: SqliteStore
) -> None:
    first, second, third = (row.media for row in store.search(Query(limit=3)).rows)
    open_library(page, frontend)
    link(page, first.title).focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    expect(link(page, second.title)).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    expect(box(page, third.title)).to_be_focused()
    expect(page.get_by_text("1 recording selected")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/$"))  # none was opened by that
    link(page, third.title).press("Enter")
    expect(page).to_have_url(re.compile(third.id))


def test_a_phone_shows_all_of_a_recording(frontend: Site, page: Page, store: SqliteStore) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    (row,) = store.search(Query(limit=1)).rows
    open_library(page, frontend)
    card = page.locator("tbody tr").first
    for part in (row.media.title, row.media.source_name, *row.topics, *row.media.tags):
        expect(card.get_by_text(part, exact=True)).to_be_visible()
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")


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
    expect(link(page, last)).to_be_attached()


def test_several_are_tagged_exported_deleted_and_brought_back(
    frontend: Site, page: Page, store: SqliteStore
) -> None:
    before = store.search(Query())
    first, second = (row.media for row in before.rows[:2])
    open_library(page, frontend)
    for one in (first, second):
        box(page, one.title).check()
    expect(page.get_by_text("2 recordings selected")).to_be_visible()

    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_label("New tags").fill("quarter, of a *year*")
    page.get_by_label("New tags").press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    for one in (first, second):
        assert {"quarter", "of a *year*"} < set(store.media(one.id).tags)

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
    expect(page.get_by_text("9,998 recordings")).to_be_visible()
    assert store.media(first.id).deleted_at is not None
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("10,000 recordings")).to_be_visible()
    expect(link(page, first.title)).to_be_visible()


@pytest.mark.parametrize(
    ("link", "sign"), [("Library", "Ask about these"), ("Dashboard", "Still to do")]
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
