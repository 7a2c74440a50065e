"""Options kept under a name on *Add*, and the episodes of a podcast, in a real browser."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from echostream_ui.library.presets import Preset
from echostream_ui.library.search import Query
from echostream_ui.library.sqlite.store import SqliteStore
from ui.site import Site, served, settle, site
from web.support import wait_until

NOWHERE = "http://127.0.0.1:1"
BOARD = {"language": "de", "prompt": "Größe", "numSpeakers": 3}


@pytest.fixture
def frontend(tmp_path: Path) -> Iterator[Site]:
    """Without an API: what is added waits."""
    with site(NOWHERE, tmp_path / "library", ALLOW_PRIVATE_URLS="true") as running:
        yield running


def kept(frontend: Site) -> list[Preset]:
    with closing(SqliteStore(frontend.library)) as store:
        return store.presets.all()


def open_options(page: Page, frontend: Site) -> None:
    page.goto(f"{frontend.url}/add")
    expect(page.get_by_role("heading", name="Add recordings")).to_be_visible()
    page.get_by_text("Options", exact=True).click()
    settle(page)


def box(page: Page, label: str) -> Locator:
    return page.get_by_test_id("stSelectbox").filter(has=page.get_by_text(label, exact=True))


def choose(page: Page, label: str, option: str) -> None:
    box(page, label).get_by_role("combobox").fill(option)
    page.get_by_role("option", name=option, exact=True).click()
    settle(page)


def test_a_preset_by_mouse(frontend: Site, page: Page, browser: Browser) -> None:
    open_options(page, frontend)
    choose(page, "Language", "German")
    choose(page, "Speakers", "3 speakers")
    words = page.get_by_label("Names and terms that are likely to be said")
    words.fill("Größe")
    page.get_by_role("textbox", name="Keep these options as a preset").fill("Board")
    page.get_by_role("button", name="Save preset").click()
    expect(box(page, "Preset")).to_be_visible()
    [preset] = kept(frontend)
    assert preset.name == "Board"
    assert preset.options.items() >= BOARD.items()
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        later = context.new_page()  # another visit: the last used one is chosen
        open_options(later, frontend)
        expect(later.get_by_label("Names and terms that are likely to be said")).to_have_value(
            "Größe"
        )
        expect(box(later, "Language").get_by_role("combobox")).to_have_value("German")
        expect(box(later, "Preset").get_by_role("combobox")).to_have_value("Board")
        later.get_by_role("button", name="Delete preset").click()
        expect(box(later, "Preset")).to_have_count(0)
    assert kept(frontend) == []


def test_a_preset_by_keyboard(frontend: Site, page: Page) -> None:
    with closing(SqliteStore(frontend.library)) as store:
        store.presets.keep("Calls", {"prompt": "one"})
        store.presets.keep("Board", {"prompt": "two"})
    open_options(page, frontend)
    words = page.get_by_label("Names and terms that are likely to be said")
    expect(words).to_have_value("two")
    box(page, "Preset").get_by_role("combobox").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(words).to_have_value("one")
    settle(page)
    words.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("three")
    page.keyboard.press("Enter")
    settle(page)
    name = page.get_by_role("textbox", name="Keep these options as a preset")
    expect(name).to_have_value("Calls")
    name.focus()
    page.keyboard.press("Enter")  # overwrites
    settle(page)
    expect(words).to_have_value("three")
    assert [(each.name, each.options["prompt"]) for each in kept(frontend)] == [
        ("Calls", "three"),
        ("Board", "two"),
    ]


def feed_of(address: str) -> str:
    items = "".join(
        f"<item><title>Talk {number} [x](http://x.test)</title>"
        f"<pubDate>Tue, 03 Mar 2026 08:00:00 GMT</pubDate>"
        f'<enclosure url="{address}/{number}.mp3" type="audio/mpeg"/></item>'
        for number in range(1, 31)
    )
    return f"<rss><channel><title>All talks</title>{items}</channel></rss>"


def test_episodes_of_a_podcast_by_keyboard_and_mouse(
    frontend: Site, page: Page, tmp_path: Path
) -> None:
    with served(tmp_path) as address:
        (tmp_path / "feed.xml").write_text(feed_of(address))
        (tmp_path / "evil.xml").write_text('<!DOCTYPE rss [<!ENTITY a "ha">]><rss>&a;</rss>')
        page.goto(f"{frontend.url}/add")
        page.get_by_role("tab", name="Podcasts").click()
        where = page.get_by_label("Address of a podcast's feed")
        settle(page)
        where.fill(f"{address}/evil.xml")
        where.press("Enter")
        expect(page.get_by_text("The feed defines XML entities")).to_be_visible()
        settle(page)
        where.fill(f"{address}/feed.xml")
        where.press("Enter")
        expect(page.get_by_role("heading", name="All talks")).to_be_visible()
        settle(page)
        first = page.get_by_role("checkbox", name=re.compile(r"^Talk 1\b"))
        first.focus()
        page.keyboard.press("Space")
        expect(first).to_be_checked()
        page.get_by_text("Talk 3 [x](http://x.test) · 3 March 2026").click()
        page.get_by_role("tabpanel").get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("heading", name="Under way")).to_be_visible()
        page.get_by_role("button", name="Show more episodes").click()
        expect(page.get_by_role("checkbox", name=re.compile(r"^Talk 30\b"))).to_be_visible()
        with closing(SqliteStore(frontend.library)) as store:
            rows = store.search(Query(sort="title", descending=False)).rows
            assert [(row.media.title, row.media.source_name) for row in rows] == [
                (f"Talk {number} [x](http://x.test)", f"{address}/{number}.mp3")
                for number in (1, 3)
            ]
            request = store.analysis(rows[0].media.id).request
            assert request["recordedAt"] == "2026-03-03"


def test_a_podcast_among_links_by_mouse(frontend: Site, page: Page, tmp_path: Path) -> None:
    with served(tmp_path) as address:
        (tmp_path / "feed").write_text(feed_of(f"{address}/links"))
        page.goto(f"{frontend.url}/add")
        page.get_by_role("tab", name="Links").click()
        settle(page)
        page.get_by_label("or to podcasts").fill(f"{address}/single.mp3\n{address}/feed")
        add = page.get_by_role("tabpanel").get_by_role("button", name="Add", exact=True)
        add.click()
        expect(page.get_by_text("This link leads to a podcast.")).to_be_visible()
        settle(page)
        page.get_by_text("Talk 2 [x](http://x.test) · 3 March 2026").click()
        add.last.click()
        with closing(SqliteStore(frontend.library)) as store:
            sources = {f"{address}/single.mp3", f"{address}/links/2.mp3"}
            expect(page.get_by_text("Talk 2").last).to_be_visible()
            wait_until(lambda: sources <= sources_of(store), "both are in the library")


def sources_of(store: SqliteStore) -> set[str]:
    return {row.media.source_name for row in store.search(Query()).rows}
