"""Pictures of every page for `docs/images/`, of the real frontend on the real API.

Needs the development dependencies and chromium. The library is made up but for one recording, the
sample, which is transcribed while the pictures are taken.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from playwright.sync_api import Browser, Page  # noqa: E402

from conftest import SAMPLE  # noqa: E402
from echostream_ui.library.sqlite.store import SqliteStore  # noqa: E402
from ui.conftest import whisper_api  # noqa: E402
from ui.microphone import SURVEY, LivePage, hearing  # noqa: E402
from ui.seeded import seed  # noqa: E402
from ui.site import Site, chromium, site  # noqa: E402

IMAGES = ROOT / "docs" / "images"
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
_SETTLE_MS = 1500  # charts draw themselves


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library"
        store = SqliteStore(library)
        seed(store, 120)
        store.close()
        with whisper_api() as api, site(api.url, library) as running:
            with chromium() as browser:
                take(browser, running)
            with hearing(SURVEY, Path(folder)) as browser:
                take_live(browser, running)


def take(browser: Browser, running: Site) -> None:
    page = browser.new_page(viewport=WIDE)
    page.goto(f"{running.url}/add")
    page.locator("input[type=file]").first.set_input_files(str(SAMPLE))
    page.get_by_text(SAMPLE.name).first.wait_for()
    page.get_by_role("button", name="Add", exact=True).first.click()
    page.get_by_role("link", name="Open").wait_for()
    shoot(page, "add")
    page.get_by_role("link", name="Open").click()
    page.get_by_role("list", name="Transcript").wait_for()
    shoot(page, "recording")
    recording = page.url
    page.goto(running.url)
    page.get_by_text("Ask about these").wait_for()
    shoot(page, "library")
    page.goto(f"{running.url}/dashboard")
    page.get_by_text("Still to do").wait_for()
    page.set_viewport_size({"width": 1280, "height": 1120})
    shoot(page, "dashboard")
    dark = browser.new_page(viewport=PHONE, color_scheme="dark")
    dark.goto(recording)
    dark.get_by_role("list", name="Transcript").wait_for()
    shoot(dark, "recording-phone")


def take_live(browser: Browser, running: Site) -> None:
    page = browser.new_page(viewport=WIDE)
    live = LivePage(page, running)
    live.start_button.click()
    live.wait_for("survey")
    live.tentative.filter(has_text="mobile").wait_for()
    page.screenshot(path=IMAGES / "live.png")
    live.wait_for_end(SURVEY)
    live.stop()
    page.get_by_text("Topics: ").wait_for()


def shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(_SETTLE_MS)
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
