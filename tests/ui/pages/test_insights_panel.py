"""The insights panel in a browser: texts of one's own, and another model."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from conftest import running
from echostream.engine import LocalEngine, Registry
from echostream.insights import InsightsChoice, load_insights
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.written_insights import points_of, shown_insights
from fakes import FakeInsights, FakeTranscriber
from ui.recordings import add_recording
from ui.site import Site, settle, site
from ui.standins import ANSWER

SECTION = {"key": "agenda", "title": "Agenda", "items": [{"text": "The rent.", "evidence": [0]}]}
Open = Callable[..., str]


def with_a_choice(settings: Settings) -> Pipeline:
    """Its default model repeats the transcript; there is another, and what needs none."""
    offline = load_insights(Settings(insights_provider="extractive"), None)
    assert offline is not None
    choice = InsightsChoice(
        FakeInsights(name="gemini", model="gemini-3.8-flash"),
        [FakeInsights(name="openai", model="qwen3:8b"), offline],
    )
    transcriber = FakeTranscriber()
    engine = LocalEngine(settings, Registry.only(lambda: transcriber, transcriber.model))
    return Pipeline(settings, engine, choice)


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("panel") / "library"
    with running(Settings(), with_a_choice) as api, site(api, folder) as running_site:
        yield running_site


@pytest.fixture
def opened(page: Page, frontend: Site, store: SqliteStore) -> Open:
    def add_and_open() -> str:
        details = ANSWER["insights"]["details"] | {"sections": [SECTION]}
        insights = ANSWER["insights"] | {"details": details}
        media_id = add_recording(store, ANSWER | {"insights": insights}, audio=None)
        page.goto(f"{frontend.url}/recording?id={media_id}")
        expect(page.get_by_role("button", name="Generate insights again")).to_be_visible()
        settle(page)
        return media_id

    return add_and_open


def analysis_of(store: SqliteStore, media_id: str) -> Analysis:
    analysis = store.analysis(media_id)
    assert analysis is not None
    return analysis


def texts(store: SqliteStore, media_id: str, part: str) -> list[str]:
    shown = shown_insights(analysis_of(store, media_id)) or {}
    return [each["text"] for each in points_of(shown, part)]


def meta_of(store: SqliteStore, media_id: str) -> dict[str, Any]:
    return dict((analysis_of(store, media_id).insights or {})["details"]["meta"])


def panel(page: Page) -> Locator:
    return page.locator(".notes")


def test_insights_are_written_and_made_by_another_model_with_the_mouse(
    page: Page, opened: Open, store: SqliteStore
) -> None:
    media_id = opened()
    notes = panel(page)
    notes.get_by_text("The budget.", exact=True).hover()
    notes.get_by_role("button", name="Edit: The budget.").click()
    notes.get_by_role("textbox").fill("We are over\nthe budget.")
    notes.get_by_role("button", name="Save").click()
    expect(notes.get_by_role("status")).to_contain_text("Saved.")
    assert texts(store, media_id, "summary") == ["We are over\nthe budget."]

    notes.get_by_text("The rent.").hover()
    notes.get_by_role("button", name="Remove: The rent.").click()
    expect(notes.get_by_text("The rent.")).to_have_count(0)
    notes.get_by_role("button", name="Undo").click()
    agenda = notes.get_by_role("list", name="Agenda")
    expect(agenda.get_by_role("button", name="Play from 0:00")).to_be_visible()
    assert texts(store, media_id, "section:agenda") == ["The rent."]
    assert ANSWER["insights"]["summary"] == (analysis_of(store, media_id).insights or {})["summary"]

    settle(page)
    page.get_by_role("combobox", name="Language model").click()
    page.get_by_role("option", name="qwen3:8b").click()
    settle(page)
    page.get_by_role("button", name="Generate insights again").click()
    expect(page.get_by_text("Replaced what you had written: Summary.")).to_be_visible()
    expect(page.get_by_text("Made by a language model (qwen3:8b).")).to_be_visible()
    assert meta_of(store, media_id)["model"] == "qwen3:8b"
    assert texts(store, media_id, "summary") == ["We talked about the budget."]
    expect(notes.get_by_role("button", name="Undo")).to_have_count(0)  # it was of the older ones
    notes.get_by_role("button", name="Use what you had written before").click()
    expect(notes.get_by_text("We are over")).to_be_visible()
    notes.get_by_role("button", name="Use the generated text").click()
    expect(notes.get_by_text("We are over")).to_have_count(0)
    assert texts(store, media_id, "summary") == ["We talked about the budget."]


def test_a_recording_is_added_for_another_model_which_is_kept_for_the_next_time(
    page: Page, frontend: Site, store: SqliteStore, tone: Path
) -> None:
    page.goto(f"{frontend.url}/add")
    page.locator("input[type=file]").first.set_input_files([str(tone)])
    expect(page.get_by_text(tone.name).first).to_be_visible()
    page.get_by_text("Options", exact=True).click()
    settle(page)
    page.get_by_role("combobox", name="Language model").click()
    page.get_by_role("option", name="qwen3:8b").click()
    settle(page)
    page.get_by_role("button", name="Add", exact=True).first.click()
    page.get_by_role("link", name="Open").click()
    expect(page.get_by_text("Made by a language model (qwen3:8b).")).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Transcribe again").click()
    chosen = page.get_by_role("dialog").get_by_role("combobox", name="Language model")
    expect(chosen).to_have_value("qwen3:8b")
    settle(page)
    page.get_by_role("dialog").get_by_role("button", name="Transcribe", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("Made by a language model (qwen3:8b).")).to_be_visible()


def test_insights_are_written_and_made_by_another_model_with_the_keyboard(
    page: Page, opened: Open, store: SqliteStore
) -> None:
    media_id = opened()
    notes = panel(page)

    def tab_to(control: Locator) -> None:
        for _ in range(80):
            if control.evaluate("one => one === one.getRootNode().activeElement"):
                return
            page.keyboard.press("Tab")
        raise AssertionError("Tab does not lead there")

    page.get_by_role("tab", name="Summary").focus()
    tab_to(notes.get_by_role("button", name="Edit: The budget."))
    page.keyboard.press("Enter")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Typed, and not yet kept")
    page.get_by_role("link", name="Library").click()
    expect(page.get_by_role("heading", name="Library")).to_be_visible()
    page.go_back()
    field = notes.get_by_role("textbox", name="Text of: Summary")
    expect(field).to_have_value("Typed, and not yet kept")
    settle(page)
    field.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Over budget.")
    page.keyboard.press("Escape")
    expect(notes.get_by_role("alert")).to_have_text("Discard what you have typed?")
    page.keyboard.press("Escape")
    page.keyboard.press("ControlOrMeta+Enter")
    expect(notes.get_by_role("button", name="Edit: Over budget.")).to_be_focused()
    tab_to(notes.get_by_role("button", name="Add to: Decisions"))
    page.keyboard.press("Enter")
    page.keyboard.type("We pay less.")
    page.keyboard.press("Enter")
    expect(notes.get_by_role("list", name="Decisions")).to_have_text("We pay less.")
    assert texts(store, media_id, "decisions") == ["We pay less."]
    tab_to(notes.get_by_role("button", name="Undo"))
    page.keyboard.press("Enter")
    expect(notes.get_by_role("list", name="Decisions")).to_have_text("")
    assert texts(store, media_id, "summary") == ["Over budget."]

    settle(page)
    tab_to(page.get_by_role("combobox", name="Language model"))
    page.keyboard.type("None")
    page.keyboard.press("Enter")
    settle(page)
    tab_to(page.get_by_role("button", name="Generate insights again"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Replaced what you had written: Summary.")).to_be_visible()
    assert meta_of(store, media_id)["provider"] == "extractive"
