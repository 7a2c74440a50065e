"""What every page has: navigation, and a word when the API is away."""

import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from ui.conftest import whisper_api
from ui.site import Site
from web.process import ServerProcess


@pytest.fixture(scope="module")
def api() -> Iterator[ServerProcess]:
    """Of these tests alone, since one of them kills it."""
    with whisper_api() as server:
        yield server


def test_nothing_is_asked_of_other_hosts(frontend: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(frontend.url)
    for link, title in (
        ("Add", "Add recordings"),
        ("Live", "Live"),
        ("Dashboard", "Dashboard"),
        ("Library", "Library"),
    ):
        page.get_by_role("link", name=link, exact=True).click()
        expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
        expect(page).to_have_title(f"{link} · EchoStream")
    page.goto(f"{frontend.url}/recording")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    ours = (frontend.url, frontend.url.replace("http", "ws", 1), "data:", "blob:")
    assert [url for url in asked if not url.startswith(ours)] == []


def test_a_page_opens_and_says_when_the_api_is_gone(
    frontend: Site, api: ServerProcess, page: Page
) -> None:
    page.goto(frontend.url)
    expect(page.get_by_role("link", name="Dashboard")).to_be_visible()
    expect(page.get_by_text("cannot be reached")).to_have_count(0)
    api.signal(signal.SIGKILL)
    expect(page.get_by_text("cannot be reached")).to_be_visible()
