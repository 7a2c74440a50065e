"""What every page has: navigation, and a word when the API is away."""

import signal

from playwright.sync_api import Page, expect

from ui.site import Site
from web.process import ServerProcess


def test_nothing_is_asked_of_other_hosts(frontend: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("", "/add", "/live", "/dashboard", "/recording"):
        page.goto(f"{frontend.url}{path}")
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
