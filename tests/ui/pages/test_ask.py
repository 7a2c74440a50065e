"""Questions in a browser: answers are written, and lead to what was said."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from conftest import running
from echostream.settings import Settings
from echostream_ui.library.sqlite.store import SqliteStore
from ui.recordings import add_recording
from ui.site import Site, settle, site
from ui.standins import ANSWER
from web.test_ask import ScriptedModel, around

QUESTION = "Who sends the plan?"
TEXTS = ("We talked about the budget.", "It is too high.", "Maria will send the plan.")
SECTION = {"key": "agenda", "title": "Agenda", "items": [{"text": "The budget", "evidence": [0]}]}


def answer() -> dict[str, Any]:
    segments = [
        {"id": 10 * number, "start": 9.0 * number, "end": 9.0 * number + 8, "text": text}
        for number, text in enumerate(TEXTS)
    ]
    details = ANSWER["insights"]["details"] | {"sections": [SECTION]}
    return ANSWER | {"segments": segments, "insights": ANSWER["insights"] | {"details": details}}


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Its API's language model answers every question from the third line."""
    folder = tmp_path_factory.mktemp("ask") / "library"
    model = ScriptedModel(("Maria ", "does [3", "]."))
    with running(Settings(), around(model)) as api, site(api, folder) as running_site:
        yield running_site


@pytest.fixture(scope="module")
def media_id(frontend: Site) -> Iterator[str]:
    store = SqliteStore(frontend.library)
    yield add_recording(store, answer())
    store.close()


def ask(page: Page) -> None:
    settle(page)
    page.get_by_label("Your question").fill(QUESTION)
    page.get_by_label("Your question").press("Enter")
    expect(page.locator(".answer")).to_contain_text("Maria does")


def test_a_passage_is_played(page: Page, frontend: Site, media_id: str) -> None:
    page.goto(f"{frontend.url}/recording?id={media_id}")
    agenda = page.get_by_role("list", name="Agenda").get_by_role("listitem")
    expect(agenda.get_by_role("button", name="Play from 0:00")).to_be_visible()
    page.get_by_role("tab", name="Ask").click()
    ask(page)
    page.locator(".answer").get_by_role("button", name="Play from 0:18").click()
    expect(page.locator(".line[aria-current=true]")).to_contain_text(TEXTS[2])


def test_a_passage_of_another_recording_is_opened(
    page: Page, frontend: Site, media_id: str
) -> None:
    page.goto(frontend.url)
    page.get_by_role("button", name="Ask about these").click()
    expect(page.get_by_text("About 1 recording")).to_be_visible()
    ask(page)
    page.locator(".answer").get_by_role("link").click()
    expect(page).to_have_url(re.compile(rf"/recording\?id={media_id}&line=20"))
    expect(page.locator(".line[aria-current=true]")).to_contain_text(TEXTS[2])
