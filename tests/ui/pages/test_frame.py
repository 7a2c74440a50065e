"""What every page has: navigation, and a word when the API is away."""

import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx2 as httpx
import pytest
from playwright.sync_api import Page, expect

from echostream_ui.library.sqlite.store import SqliteStore
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


@pytest.mark.parametrize(
    ("suffix", "media_type", "shown"),
    [
        (".wav", "audio/wav", "inline"),
        (".webm", "video/webm", "inline"),
        (".html", "application/octet-stream", "attachment"),
        (".svg", "application/octet-stream", "attachment"),
        (".xhtml", "application/octet-stream", "attachment"),
    ],
)
def test_a_recording_is_no_page(
    frontend: Site, tmp_path: Path, suffix: str, media_type: str, shown: str
) -> None:
    """Whoever named the file: a browser runs nothing that is in it."""
    media_id = str(uuid4())
    file = tmp_path / f"recording{suffix}"
    file.write_bytes(b"<!doctype html><script>alert(document.cookie)</script>")
    store = SqliteStore(frontend.library)
    store.keep_audio(media_id, file)
    store.close()
    answer = httpx.get(f"{frontend.url}/audio/{media_id}", trust_env=False)
    assert answer.content.startswith(b"<!doctype html>")
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].split(";")[0] == shown
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_pages_are_not_framed_by_others(frontend: Site) -> None:
    answer = httpx.get(frontend.url, trust_env=False)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]


def test_a_page_opens_and_says_when_the_api_is_gone(
    frontend: Site, api: ServerProcess, page: Page
) -> None:
    page.goto(frontend.url)
    expect(page.get_by_role("link", name="Dashboard")).to_be_visible()
    expect(page.get_by_text("cannot be reached")).to_have_count(0)
    api.signal(signal.SIGKILL)
    expect(page.get_by_text("cannot be reached")).to_be_visible()
