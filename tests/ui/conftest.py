"""Fixtures of the frontend's tests: a real API, a real frontend, a real browser."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from playwright.sync_api import Error as PlaywrightError

from conftest import TINY_WHISPER
from echostream_ui.services import Services, services
from echostream_ui.settings import FrontendSettings
from ui.site import Site, chromium, site
from web.process import ServerProcess, server_process

# What a page shows may have to be transcribed first, on a machine that runs other tests too.
expect.set_options(timeout=30_000)


@pytest.fixture(autouse=True)
def clean_frontend_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No frontend setting of the developer's own reaches a test."""
    for name in FrontendSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@contextmanager
def whisper_api(**environment: str) -> Iterator[ServerProcess]:
    """A real API that transcribes with the tests' own Whisper."""
    settings = {
        "ASR_ENGINE": "whisper",
        "WHISPER_MODEL": str(TINY_WHISPER),
        "INSIGHTS_PROVIDER": "extractive",
        "HF_HUB_OFFLINE": "1",
        "WEB_CONCURRENCY": "1",
    }
    with server_process(**settings | environment) as server:
        yield server


@pytest.fixture(scope="package")
def api() -> Iterator[ServerProcess]:
    """For tests that leave it running."""
    with whisper_api() as server:
        yield server


@pytest.fixture(scope="module")
def frontend(api: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A real frontend, with a library for all tests of a module."""
    with site(api.url, tmp_path_factory.mktemp("frontend") / "library") as running:
        yield running


@pytest.fixture
def app_services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Services]:
    """What pages share, in this process: for pages that are run without a browser. Nothing answers
    where their API should be."""
    monkeypatch.setenv("API_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LIBRARY_PATH", str(tmp_path / "library"))
    services.cache_clear()
    yield services()
    services().close()
    services.cache_clear()


_SHOWN = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    return JSON.stringify({ ...app?.dataset }) + "\\n" + document.body.innerText;
}"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the frontend of a test that has failed has logged, and what its page shows."""
    report = yield
    for each in item.funcargs.values() if report.failed else ():
        if isinstance(each, Site):
            report.sections.append((f"log of {each.url}", each.log.read_text(errors="replace")))
        if isinstance(each, Page) and not each.is_closed():
            with suppress(PlaywrightError):
                report.sections.append((f"{each.url} shows", each.evaluate(_SHOWN)))
    return report


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of one module: while it runs, its event loop keeps other modules from having theirs."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[BrowserContext]:
    """For the pages of a module. A first one, which stays empty, keeps the process of all of them,
    so that each finds the frontend's scripts read and compiled."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        first = context.new_page()
        first.route("**/*", lambda route: route.fulfill(body=""))
        first.goto("http://127.0.0.1/")
        yield context


@pytest.fixture
def page(window: BrowserContext) -> Iterator[Page]:
    """A page without a history, of a browser that remembers nothing of other tests."""
    page = window.new_page()
    page.set_default_timeout(30_000)
    visited: set[str] = set()
    page.on("framenavigated", lambda frame: visited.add(_origin(frame.url)))
    yield page
    for one in window.pages[1:]:  # first, since a page that is open stores things again
        one.close()
    window.clear_cookies()
    window.clear_permissions()
    memory = window.new_cdp_session(window.pages[0])
    for origin in visited:
        memory.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
