"""Links to recordings, copies and the library as a file: each with the mouse and with keys."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from echostream_ui.library.sqlite.store import SqliteStore
from node_packages import installed
from ui.pages.test_everybody import NOWHERE, PHONE, RUDE, WIDE, answer, look, violations
from ui.recordings import add_recording
from ui.site import Site, settle, site

PUBLIC = "https://notes.example.com"
CLIPBOARD = ["clipboard-read", "clipboard-write"]


@pytest.fixture(scope="module")
def axe(pytestconfig: pytest.Config) -> str:
    place = installed(pytestconfig, Path(__file__).parent.parent / "axe")
    return (place / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One that may share, without an API."""
    library = tmp_path_factory.mktemp("sharing") / "library"
    with site(NOWHERE, library, PUBLIC_URL=PUBLIC) as running:
        yield running


@pytest.fixture
def media_id(frontend: Site) -> str:
    with closing(SqliteStore(frontend.library)) as store:
        return add_recording(store, answer(), title=RUDE)


@pytest.fixture
def opened(page: Page, frontend: Site, media_id: str) -> Page:
    page.goto(f"{frontend.url}/recording?id={media_id}")
    expect(page.locator(".line").first).to_be_visible(timeout=90_000)
    settle(page)
    return page


def test_a_link_made_with_the_mouse_is_read_without_scripts(
    opened: Page, browser: Browser, frontend: Site, axe: str
) -> None:
    opened.get_by_role("button", name="Share", exact=True).click()
    dialog = opened.get_by_role("dialog")
    dialog.get_by_text("30 days").click()
    dialog.get_by_text("They can also listen").click()
    dialog.get_by_role("button", name="Make a link").click()
    link = dialog.get_by_text(f"{PUBLIC}/share/")
    expect(link).to_be_visible()
    expect(dialog.get_by_text("with sound")).to_be_visible()
    look(opened, axe, within="[role=dialog]")
    path = (link.text_content() or "").strip().removeprefix(PUBLIC)

    with browser.new_context(java_script_enabled=False, viewport=PHONE) as context:
        reader = context.new_page()
        with reader.expect_response(f"**{path}/audio") as sound:
            reader.goto(f"{frontend.url}{path}")
        assert sound.value.status == 206
        expect(reader.get_by_role("heading", level=1)).to_have_text(RUDE)
        for part in ("Summary", "Action items", "Transcript"):
            expect(reader.get_by_role("heading", name=part)).to_be_visible()
        expect(reader.get_by_text("This is sentence 4 of a long meeting")).to_be_visible()
        expect(reader.locator("audio")).to_be_visible()
        assert reader.locator("script, img, iframe").count() == 0

    # A tool may look at the page, though the page itself may run nothing.
    for scheme, size in (("light", WIDE), ("dark", PHONE)):
        with browser.new_context(bypass_csp=True, color_scheme=scheme, viewport=size) as context:
            reader = context.new_page()
            reader.goto(f"{frontend.url}{path}")
            reader.evaluate(axe)
            assert violations(reader, "html") == [], scheme
            assert reader.evaluate(
                "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            )
            assert reader.evaluate("window.ran") is None


def test_a_link_is_made_and_ended_with_the_keyboard(opened: Page, frontend: Site) -> None:
    opened.get_by_role("button", name="Share", exact=True).focus()
    opened.keyboard.press("Enter")
    dialog = opened.get_by_role("dialog")
    dialog.get_by_role("button", name="Make a link").focus()
    opened.keyboard.press("Enter")
    link = dialog.get_by_text(f"{PUBLIC}/share/")
    expect(link).to_be_visible()
    path = (link.text_content() or "").strip().removeprefix(PUBLIC)
    ask = opened.context.request
    assert ask.get(f"{frontend.url}{path}").status == 200
    assert ask.get(f"{frontend.url}{path}/audio").status == 404
    dialog.get_by_role("button", name="End link").focus()
    opened.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="End link")).to_have_count(0)
    expect(link).to_have_count(0)
    assert ask.get(f"{frontend.url}{path}").status == 404
    opened.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_texts_and_lines_are_copied(opened: Page) -> None:
    opened.context.grant_permissions(CLIPBOARD)

    def copied() -> str:
        return str(opened.evaluate("navigator.clipboard.readText()"))

    opened.get_by_role("button", name="Copy", exact=True).click()
    opened.get_by_role("button", name="Transcript", exact=True).click()
    expect(opened.get_by_text("Copied.")).to_be_visible()
    assert copied().startswith(f"0 {RUDE}: This is sentence 0")
    opened.get_by_role("button", name="Action items", exact=True).focus()
    opened.keyboard.press("Enter")
    opened.wait_for_function("navigator.clipboard.readText().then(text => text.startsWith('☐'))")
    opened.get_by_role("button", name="Summary", exact=True).click()
    opened.wait_for_function("navigator.clipboard.readText().then(text => !text.startsWith('☐'))")
    assert copied() == RUDE
    opened.keyboard.press("Escape")

    at = opened.locator(".lines > li").nth(1)
    at.get_by_role("button", name="Copy the line").click()
    expect(opened.get_by_text("The line is copied.")).to_be_visible()
    assert copied().startswith(f"[40:00] 1 {RUDE}: This is sentence 1")
    at.locator(".line").focus()
    opened.keyboard.press("ArrowDown")
    opened.keyboard.press("c")
    opened.wait_for_function(
        "navigator.clipboard.readText().then(text => text.includes('1:20:00'))"
    )


def test_a_document_has_the_times_that_are_asked_for(opened: Page) -> None:
    opened.get_by_role("button", name="Export", exact=True).click()
    opened.get_by_role("radio", name="Yes").click()
    opened.get_by_role("checkbox", name="Names of the speakers").focus()
    opened.keyboard.press("Space")
    settle(opened)
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Plain text").click()
    assert download.value.path().read_text().startswith("00:00:00 This is sentence 0")
    opened.get_by_role("button", name="PDF").focus()
    with opened.expect_download() as download:
        opened.keyboard.press("Enter")
    assert download.value.path().read_bytes().startswith(b"%PDF")


def test_the_library_is_downloaded_and_imported(
    page: Page, frontend: Site, media_id: str, tmp_path: Path
) -> None:
    page.goto(f"{frontend.url}/backup")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the library").click()
    archive = tmp_path / download.value.suggested_filename
    assert re.fullmatch(r"echostream-library-[\d-]{10}\.zip", archive.name)
    download.value.save_as(archive)
    with closing(SqliteStore(frontend.library)) as store:
        store.delete([media_id])
        page.get_by_label("Archive").set_input_files(archive)
        page.get_by_role("button", name="Import", exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("1 recording was added.")).to_be_visible()
        media = store.media(media_id)
        assert media is not None
        assert media.title == RUDE
    page.get_by_label("Archive").set_input_files(archive)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("0 recordings were added.")).to_be_visible()
