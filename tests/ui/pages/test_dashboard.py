"""The dashboard in a real browser: charts with something in them, and action items to tick off."""

import re

import pytest
from playwright.sync_api import Page, expect

from echostream_ui.library.sqlite.store import SqliteStore
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
    expect(page.get_by_text("Still to do")).to_be_visible()
    questions = (
        "How much was recorded?",
        "What was talked about?",
        "How did it sound?",
        "In which languages?",
    )
    for question in questions:
        expect(page.get_by_text(question)).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(len(questions))
    expect(page.locator("[data-testid=stVegaLiteChart] svg, canvas.marks").first).to_be_visible()
    metric = page.get_by_test_id("stMetric").filter(has_text="Recordings").first
    expect(metric).to_contain_text("40")
    # No docstring of the script is shown.
    assert page.get_by_test_id("stMain").inner_text().startswith("Dashboard")


def test_an_item_is_ticked_off(seeded: Site, page: Page) -> None:
    store = SqliteStore(seeded.library)
    before = store.overview(None)
    open_before = [each.item.text for each in store.open_items()]
    text = open_before[0]
    page.goto(f"{seeded.url}/dashboard")
    page.get_by_text(text).first.click()
    expect(page.get_by_text("Marked as done")).to_be_visible()
    after = store.overview(None)
    assert (after.open_items, after.done_items) == (before.open_items - 1, before.done_items + 1)
    # Several recordings have an item of this text, and any of them may stand first while the page
    # is still being drawn.
    open_after = [each.item.text for each in store.open_items()]
    assert open_after.count(text) == open_before.count(text) - 1
    store.close()
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("checkbox")).to_have_count(39)
    page.get_by_role("link", name="no. 2").first.click()
    expect(page).to_have_url(re.compile(r"/recording\?id="))
