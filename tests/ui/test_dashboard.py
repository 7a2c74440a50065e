"""The dashboard in a real browser: charts with something in them, and action items to tick off."""

import pytest
from playwright.sync_api import Page, expect

from frontend.sqlite_store import SqliteStore
from ui.seeded import seed
from ui.site import Site


@pytest.fixture(scope="module")
def seeded(frontend: Site) -> Site:
    store = SqliteStore(frontend.library)
    seed(store, 40)
    store.close()
    return frontend


def test_each_question_has_its_chart(seeded: Site, page: Page) -> None:
    page.goto(f"{seeded.url}/dashboard")
    expect(page.get_by_text("What is still to be done")).to_be_visible()
    questions = (
        "How much was recorded?",
        "What was talked about?",
        "In which mood?",
        "In which languages?",
    )
    for question in questions:
        expect(page.get_by_text(question)).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(len(questions))
    expect(page.locator("[data-testid=stVegaLiteChart] svg, canvas.marks").first).to_be_visible()
    metric = page.get_by_test_id("stMetric").filter(has_text="Recordings").first
    expect(metric).to_contain_text("40")


def test_an_item_is_ticked_off(seeded: Site, page: Page) -> None:
    store = SqliteStore(seeded.library)
    before = store.overview(None)
    first = store.open_items()[0]
    page.goto(f"{seeded.url}/dashboard")
    table = page.get_by_test_id("stDataFrame")
    table.scroll_into_view_if_needed()
    expect(page.locator("td[role=gridcell]", has_text=first.item.text).first).to_be_attached()
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 20, box["y"] + 35 + 17)
    page.keyboard.press("Space")
    expect(page.get_by_text("1 action item done")).to_be_visible()
    after = store.overview(None)
    assert (after.open_items, after.done_items) == (before.open_items - 1, before.done_items + 1)
    assert store.analysis(first.media_id).action_items[first.index].done
    store.close()
