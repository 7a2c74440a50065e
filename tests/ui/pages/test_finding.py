"""Finding, sorting, deleting and bringing back recordings in a real browser, by mouse and by
keyboard."""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from echostream_ui.library.search import Query
from echostream_ui.library.sqlite.store import SqliteStore
from ui.recordings import MEETING, add_recording, long_answer
from ui.site import Site, settle, site

NOWHERE = "http://127.0.0.1:1"
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def frontend(tmp_path: Path) -> Iterator[Site]:
    with site(NOWHERE, tmp_path / "library") as running:
        yield running


@pytest.fixture
def talks(store: SqliteStore) -> dict[str, str]:
    """Three recordings, by their titles: of today, of last week, and of last year."""
    now = datetime.now(UTC)
    spoken = long_answer(6)
    return {
        title: add_recording(
            store, spoken, title=title, audio=None, created_at=now - timedelta(days=days)
        )
        for title, days in {"Newest": 0, "Older": 6, "Oldest": 400}.items()
    }


def open_library(page: Page, frontend: Site, sign: str = "Ask about these") -> None:
    page.goto(frontend.url)
    expect(page.get_by_text(sign)).to_be_visible()
    settle(page)


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def box(page: Page, title: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Select {title}", exact=True)


def folder_named(dialog: Locator, name: str) -> Locator:
    return dialog.get_by_role("radio", name=name, exact=True)


def titles(page: Page) -> Locator:
    return page.locator("a.open")


def press(page: Page, control: Locator, key: str = "Enter") -> None:
    """Use a control by the keyboard alone."""
    settle(page)
    control.focus()
    page.keyboard.press(key)


def choose(page: Page, label: str, option: str) -> None:
    """Choose from a list by its keys."""
    press(page, page.get_by_role("combobox", name=label), "ArrowDown")
    page.keyboard.type(option)
    expect(page.get_by_role("option", name=option).first).to_be_visible()
    page.keyboard.press("Enter")
    settle(page)


def test_every_match_opens_at_its_place(page: Page, frontend: Site, talks: dict[str, str]) -> None:
    open_library(page, frontend)
    page.get_by_role("textbox", name="Search").fill("sentence")
    page.get_by_role("textbox", name="Search").press("Enter")
    row = page.locator("tbody tr").first
    expect(row.locator(".match")).to_have_count(3)
    expect(row.locator(".match").nth(1)).to_have_text(re.compile("40:00.*This is sentence 1"))
    expect(row.locator(".match mark").first).to_have_text("sentence")

    # By keyboard: all of them, the focus on the first that is new, and that one opened.
    press(page, row.locator(".more"))
    expect(row.locator(".match")).to_have_count(6)
    expect(row.locator(".match").nth(3)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"id={talks['Newest']}&t=7200&q=sentence$"))
    expect(page.locator(".lines mark.here")).to_have_text("sentence")
    expect(page.locator(".count")).to_have_text("4 of 6")

    # By mouse: another one, on a phone.
    page.go_back()
    page.set_viewport_size(PHONE)
    expect(row.locator(".match")).to_have_count(6)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
    row.locator(".more").click()
    expect(row.locator(".match")).to_have_count(3)
    row.locator(".match").nth(2).click()
    expect(page).to_have_url(re.compile("t=4800&q=sentence$"))


def test_folders_and_filters_by_mouse(
    page: Page, frontend: Site, store: SqliteStore, talks: dict[str, str]
) -> None:
    open_library(page, frontend)
    button(page, "Folders").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New folder").fill("Team")
    button(dialog, "Create").click()
    expect(folder_named(dialog, "Team")).to_be_visible()
    button(dialog, "Close").click()
    expect(page.get_by_role("combobox", name="Folder")).to_be_visible()

    box(page, "Newest").check()
    box(page, "Oldest").check()
    button(page, "Move").click()
    settle(page)
    folder_named(dialog, "Team").click()
    button(dialog, "Move").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".folder")).to_have_text(["In Team", "In Team"])

    page.get_by_role("combobox", name="Folder").click()
    page.get_by_role("option", name="Team (2)").click()
    expect(titles(page)).to_have_text(["Newest", "Oldest"])
    button(page, "Filter").click()
    page.get_by_role("combobox", name="Date").click()
    page.get_by_role("option", name="Last 7 days").click()
    expect(titles(page)).to_have_text(["Newest"])
    page.keyboard.press("Escape")

    settle(page)
    button(page, "Saved").click()
    page.get_by_label("Save the present search").fill("Team this week")
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Save").click()
    expect(page.get_by_role("combobox", name="Saved filter")).to_be_visible()
    assert store.filters.all()[0].name == "Team this week"
    page.keyboard.press("Escape")
    button(page, "Clear filters").click()
    expect(titles(page)).to_have_count(3)
    settle(page)
    button(page, "Saved").click()
    page.get_by_role("combobox", name="Saved filter").click()
    page.get_by_role("option", name="Team this week").click()
    expect(titles(page)).to_have_text(["Newest"])
    page.keyboard.press("Escape")

    settle(page)
    button(page, "Folders").click()
    folder_named(dialog, "Team").click()
    button(dialog, "Delete folder").click()
    expect(dialog).to_have_count(0)
    expect(titles(page)).to_have_text(["Newest", "Older"])  # the period is still chosen
    assert store.folders.all() == []
    assert store.search(Query()).total == 3


def test_folders_and_filters_by_keyboard(
    page: Page, frontend: Site, store: SqliteStore, talks: dict[str, str]
) -> None:
    folder = store.folders.add("Team")
    store.filters.save("Before", {"text": "nothing has this"})
    page.set_viewport_size(PHONE)
    open_library(page, frontend)
    press(page, box(page, "Older"), "Space")
    press(page, button(page, "Move"))
    dialog = page.get_by_role("dialog")
    settle(page)
    dialog.get_by_label("New folder").focus()
    page.keyboard.type("Clients")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.locator(".folder")).to_have_text("In Clients")
    press(page, box(page, "Older"), "Space")

    press(page, button(page, "Folders"))
    settle(page)
    press(page, folder_named(dialog, "Team"), "Space")
    dialog.get_by_label("Name", exact=True).focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("Archive")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert [each.name for each in store.folders.all()] == ["Archive", "Clients"]
    assert store.folders.all()[0].id == folder

    press(page, button(page, "Filter"))
    choose(page, "Date", "A range")
    settle(page)
    page.get_by_role("spinbutton", name="year, To").focus()
    page.keyboard.type((datetime.now(UTC) - timedelta(days=30)).strftime("%Y%m%d"))
    for _ in range(2):  # the field is left when the button that it ends with is
        page.keyboard.press("Tab")
    expect(titles(page)).to_have_text(["Oldest"])
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")

    press(page, button(page, "Saved"))
    choose(page, "Saved filter", "Before")
    expect(page.get_by_text("No recording matches")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("combobox", name="Saved filter")).to_have_count(0)
    press(page, button(page, "Show all"))
    expect(titles(page)).to_have_count(3)
    press(page, button(page, "Saved"))
    expect(button(page, "Apply again")).to_be_visible()
    press(page, page.get_by_role("button", name="Overwrite"))
    settle(page)
    expect(button(page, "Apply again")).to_have_count(0)
    assert [each.choice for each in store.filters.all()] == [{"order": "Newest first"}]
    press(page, button(page, "Delete"))
    expect(page.get_by_role("combobox", name="Saved filter")).to_have_count(0)
    assert store.filters.all() == []


def test_the_bin_by_mouse(
    page: Page, frontend: Site, store: SqliteStore, talks: dict[str, str]
) -> None:
    kept = add_recording(store, long_answer(2), title="With audio")
    open_library(page, frontend)
    box(page, "Newest").check()
    box(page, "With audio").check()
    button(page, "Delete").click()
    expect(page.get_by_text("2 recordings moved to the bin.")).to_be_visible()
    expect(titles(page)).to_have_text(["Older", "Oldest"])
    button(page, "Undo").click()
    expect(titles(page)).to_have_count(4)
    expect(page.get_by_text("moved to the bin")).to_have_count(0)

    box(page, "Newest").check()
    box(page, "With audio").check()
    button(page, "Delete").click()
    page.get_by_role("link", name="Bin", exact=True).click()
    expect(page.get_by_role("heading", name="Bin")).to_be_visible()
    box(page, "Newest").check()
    button(page, "Restore").click()
    expect(titles(page)).to_have_text(["With audio"])
    button(page, "Empty the bin").click()
    button(page.get_by_role("dialog"), "Delete for good").click()
    expect(page.get_by_text("The bin is empty.")).to_be_visible()
    assert store.media(kept) is store.audio(kept) is None
    page.get_by_role("link", name="Go to the library").click()
    expect(titles(page)).to_have_text(["Newest", "Older", "Oldest"])


def test_the_bin_and_what_is_there_already_by_keyboard(
    page: Page, frontend: Site, store: SqliteStore, talks: dict[str, str]
) -> None:
    there = add_recording(store, long_answer(2), title="The meeting")
    store.update_media(there, size_bytes=MEETING.stat().st_size)
    page.set_viewport_size(PHONE)
    open_library(page, frontend)
    press(page, box(page, "Newest"), "Space")
    press(page, button(page, "Delete"))
    expect(page.get_by_text("“Newest” moved to the bin.")).to_be_visible()
    press(page, button(page, "Undo"))
    expect(titles(page)).to_have_count(4)
    store.to_bin([talks["Newest"], talks["Older"]])
    press(page, page.get_by_role("link", name="Bin", exact=True))
    expect(page.get_by_role("heading", name="Bin")).to_be_visible()
    expect(titles(page)).to_have_count(2)
    press(page, box(page, "Newest"), "Space")
    press(page, button(page, "Delete for good"))
    press(page, button(page.get_by_role("dialog"), "Delete for good"))
    expect(titles(page)).to_have_text(["Older"])
    press(page, titles(page).first)
    press(page, button(page, "Restore"))
    expect(page.locator(".lines > li").first).to_be_visible()
    assert store.media(talks["Newest"]) is None
    assert store.media(talks["Older"]).deleted_at is None

    add_meeting(page, frontend)
    assert store.media(there).sha256 == hashlib.sha256(MEETING.read_bytes()).hexdigest()
    press(page, page.get_by_role("link", name="Open"))
    expect(page).to_have_url(re.compile(f"recording.id={there}"))
    add_meeting(page, frontend)
    assert store.search(Query()).total == 3
    press(page, button(page, "Add all the same"))
    expect(page.get_by_role("heading", name="Under way")).to_be_visible()
    assert store.search(Query()).total == 4


def add_meeting(page: Page, frontend: Site) -> None:
    page.goto(f"{frontend.url}/add")
    page.locator("input[type=file]").first.set_input_files([str(MEETING)])
    expect(page.get_by_text(MEETING.name).first).to_be_visible()
    press(page, button(page, "Add").first)
    expect(page.get_by_text("is in the library already, as “The meeting”")).to_be_visible()
