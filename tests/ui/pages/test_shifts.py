"""Pages keep their parts in place while they open, by Cumulative Layout Shift."""

import pytest
from playwright.sync_api import Browser, ViewportSize

from echostream_ui.library.sqlite.store import SqliteStore
from ui.recordings import add_recording, long_answer
from ui.seeded import seed
from ui.shifts import OPENED, WATCH, WORST_SHIFT
from ui.site import Site

MOST_SHIFT = 0.1
"""What web.dev calls good."""
SCREEN: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
# All that is loaded on its own has come. On a slow machine too a page is watched until then.
_WHOLE = "() => !document.querySelector('.stMain [data-testid=stSkeleton]')"
_DRAWN = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
_LOOKS = {
    "": ".recordings tbody tr",
    "add": "input[type=file]",
    "live": ".toggle",
    "dashboard": "[data-testid=stVegaLiteChart] :is(svg, canvas)",
    "ask": "textarea, input",
    "recording?id={short}": ".lines > li",
    "recording?id={long}&t=2000": ".lines > li",
}


@pytest.fixture(scope="module")
def seeded(frontend: Site) -> dict[str, str]:
    """More recordings than the library has on a page. The ids of a short and of a long one."""
    store = SqliteStore(frontend.library)
    short = seed(store, 60)[0].id
    long = add_recording(store, long_answer(400))
    store.close()
    return {"short": short, "long": long}


@pytest.mark.parametrize(
    ("path", "size"),
    [
        *((path, PHONE) for path in _LOOKS),
        *((path, SCREEN) for path in ("", "dashboard", "recording?id={short}")),
    ],
)
def test_a_page_stays_where_it_is_while_it_opens(
    frontend: Site, browser: Browser, seeded: dict[str, str], path: str, size: ViewportSize
) -> None:
    with browser.new_context(viewport=size) as context:  # without a cache
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(f"{frontend.url}/{path.format(**seeded)}", wait_until="commit")
        page.wait_for_function(OPENED, arg=_LOOKS[path], timeout=60_000)
        page.wait_for_function(_WHOLE, timeout=60_000)
        page.evaluate(_DRAWN)
        assert page.evaluate(WORST_SHIFT) < MOST_SHIFT, page.evaluate("shifts")
