"""The recording page in a browser: bookmarks, folders, the tools of a line, and video."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from echostream_ui.library.analysis import Bookmark
from echostream_ui.library.sqlite.store import SqliteStore
from ui.recordings import MEETING, add_recording
from ui.site import Site, free_port, settle, site

ANSWER: dict[str, Any] = {
    "language": "en",
    "duration": 6.0,
    "segments": [
        {"id": number, "start": 2.0 * number, "end": 2.0 * number + 2, "text": text}
        for number, text in enumerate(("We begin.", "We go on.", "We end."))
    ],
}
Open = Callable[..., str]


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Nothing answers where its API should be: these pages need none."""
    folder = tmp_path_factory.mktemp("tools") / "library"
    with site(f"http://127.0.0.1:{free_port()}", folder) as running:
        yield running


@pytest.fixture
def opened(page: Page, frontend: Site, store: SqliteStore) -> Open:
    return lambda **more: open_page(page, frontend, store, **more)


def open_page(page: Page, frontend: Site, store: SqliteStore, **more: Any) -> str:
    media_id = add_recording(store, ANSWER, **more)
    page.goto(f"{frontend.url}/recording?id={media_id}")
    expect(page.locator(".line").first).to_be_visible()
    settle(page)
    return media_id


def go_to(page: Page, seconds: float) -> None:
    """To a place of the recording, without playing it."""
    page.locator(".seek:enabled").evaluate(
        "(seek, at) => { seek.value = at; seek.dispatchEvent(new Event('input')); }", seconds
    )
    expect(page.get_by_role("timer")).to_have_text(f"0:0{int(seconds)}")


def bookmarks_of(store: SqliteStore, media_id: str) -> tuple[Bookmark, ...]:
    analysis = store.analysis(media_id)
    assert analysis is not None
    return analysis.bookmarks


def folder_of(store: SqliteStore, media_id: str) -> str | None:
    media = store.media(media_id)
    assert media is not None
    return next((each.name for each in store.folders.all() if each.id == media.folder), None)


def test_bookmarks_and_a_folder_with_the_mouse(
    page: Page, opened: Open, store: SqliteStore
) -> None:
    media_id = opened()
    marks = page.get_by_role("region", name="Bookmarks")
    expect(marks).to_have_count(0)
    go_to(page, 4.5)
    page.get_by_role("button", name="Bookmark this place").click()
    note = marks.get_by_role("textbox", name="Note at 0:04")
    expect(note).to_be_focused()
    note.fill("The end")
    note.blur()
    go_to(page, 1)
    page.get_by_role("button", name="Bookmark this place").click()
    expect(marks.get_by_role("link")).to_have_text(["0:01", "0:04"])
    page.get_by_role("button", name="Bookmark this place").click()  # is marked already
    marks.get_by_role("button", name="Remove the bookmark at 0:04").click()
    expect(marks.get_by_role("link")).to_have_text(["0:01"])
    marks.get_by_role("button", name="Undo").click()
    expect(marks.get_by_role("textbox", name="Note at 0:04")).to_have_value("The end")
    assert bookmarks_of(store, media_id) == (Bookmark(1.0), Bookmark(4.5, "The end"))
    marks.get_by_role("link", name="Play from 0:04").click()
    page.wait_for_function(
        "() => { const it = document.querySelector('audio'); return it.currentTime >= 4.5; }"
    )

    page.get_by_role("button", name="Edit details").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New folder").fill("Council")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("Council")).to_be_visible()
    assert folder_of(store, media_id) == "Council"
    settle(page)
    page.get_by_role("button", name="Edit details").click()
    dialog.get_by_role("radio", name="No folder").click()
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Council")).to_have_count(0)
    assert folder_of(store, media_id) is None


def test_a_bookmark_and_a_folder_with_the_keyboard(
    page: Page, opened: Open, store: SqliteStore
) -> None:
    store.folders.add("Keys")
    media_id = opened()
    tools = page.locator(".lines > li").nth(1).locator(".edit")
    line = page.locator(".line").nth(1)
    go_to(page, 2.5)
    page.locator(".line").first.focus()
    page.keyboard.press("ArrowDown")
    expect(line).to_be_focused()
    expect(tools).to_have_css("opacity", "0.75")
    page.keyboard.press("b")
    note = page.get_by_role("textbox", name="Note at 0:02")
    expect(note).to_be_focused()
    page.keyboard.type("b is a letter here")
    page.keyboard.press("Enter")
    expect(line).to_be_focused()
    page.keyboard.press("b")
    expect(note).to_be_focused()
    expect(note).to_have_value("b is a letter here")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Undo").last).to_be_focused()
    page.keyboard.press("Enter")
    expect(note).to_be_focused()
    assert bookmarks_of(store, media_id) == (Bookmark(2.5, "b is a letter here"),)

    page.get_by_role("button", name="Edit details").press("Enter")
    dialog = page.get_by_role("dialog")
    settle(page)
    dialog.get_by_role("radio", name="Keys").press("Space")
    dialog.get_by_role("button", name="Save").press("Enter")
    expect(dialog).to_have_count(0)
    assert folder_of(store, media_id) == "Keys"


def test_the_tools_of_a_line_are_seen_where_they_are_wanted(
    page: Page, browser: Browser, opened: Open, frontend: Site, store: SqliteStore
) -> None:
    def tool(on: Page, number: int) -> Locator:
        return on.locator(".lines > li").nth(number).locator(".edit")

    opened()
    expect(tool(page, 1)).to_have_css("opacity", "0")
    page.locator(".line").nth(1).hover()
    expect(tool(page, 1)).to_have_css("opacity", "0.75")
    expect(tool(page, 2)).to_have_css("opacity", "0")
    # The player's buttons are in one row also with the times of a long recording.
    page.locator(".length").evaluate("it => { it.textContent = '1:02:03'; }")
    page.locator(".now").evaluate("it => { it.textContent = '1:02:03'; }")
    boxes = [each.bounding_box() for each in page.locator(".controls button").all()]
    assert len({round(box["y"] + box["height"] / 2) for box in boxes if box}) == 1

    size = {"width": 390, "height": 800}
    with browser.new_context(viewport=size, has_touch=True, is_mobile=True) as context:
        phone = context.new_page()
        open_page(phone, frontend, store)
        expect(tool(phone, 1)).to_be_hidden()
        more = phone.get_by_role("button", name="More for the line at 0:02")
        more.tap()
        expect(more).to_have_attribute("aria-expanded", "true")
        expect(tool(phone, 2)).to_be_hidden()
        tool(phone, 1).tap()
        expect(phone.get_by_role("textbox", name="Text at 0:02")).to_be_focused()
        phone.keyboard.press("Escape")
        phone.get_by_role("button", name="Bookmark this place").tap()
        expect(phone.get_by_text("0:00 is bookmarked.")).to_be_visible()


def test_a_film_is_shown_and_follows_the_transcript(
    page: Page, opened: Open, tmp_path: Path
) -> None:
    film, sound = tmp_path / "film.webm", tmp_path / "sound.webm"
    picture = ["-f", "lavfi", "-i", "testsrc=size=160x90:rate=10:duration=6"]
    tone = ["-f", "lavfi", "-i", "sine=frequency=440:duration=6"]
    codecs = ["-c:v", "libvpx", "-deadline", "realtime", "-b:v", "200k", "-c:a", "libopus"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, *tone, *codecs, film], check=True)
    subprocess.run(["ffmpeg", "-v", "error", "-i", MEETING, "-t", "6", sound], check=True)

    opened(audio=film)
    video = page.locator("video")
    expect(video).to_be_visible()
    page.locator(".line").nth(1).click()
    expect(page.locator("[aria-current=true]")).to_have_text("0:02We go on.")
    wait = (
        "it => new Promise(done => it.addEventListener('timeupdate', () => done(it.currentTime)))"
    )
    assert 2 <= video.evaluate(wait) < 6
    assert video.evaluate("it => [it.videoWidth, it.videoHeight, it.paused]") == [160, 90, False]
    page.get_by_role("button", name="Pause").click()
    assert video.evaluate("it => it.paused")

    # The same kind of file may hold no picture: then there is no black box either.
    opened(audio=sound)
    go_to(page, 3)
    expect(page.locator(".picture")).to_be_hidden()
