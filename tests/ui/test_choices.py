"""Templates and questions on the pages, beside a real API whose models are fakes."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from conftest import ROOT, running
from echostream.settings import Settings
from echostream_ui.library.search import Query
from echostream_ui.services import Services, services
from ui.recordings import add_recording
from ui.seeded import seed
from ui.standins import ANSWER
from ui.test_models import opened
from web.support import wait_until
from web.test_ask import ScriptedModel, around

PAGES = ROOT / "src" / "echostream_ui" / "pages"


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """What pages share. The language model has one answer to everything."""
    with running(Settings(), around(ScriptedModel(("The budget [1].",)))) as url:
        monkeypatch.setenv("API_BASE_URL", url)
        monkeypatch.setenv("LIBRARY_PATH", str(tmp_path / "library"))
        services.cache_clear()
        yield services()
        services().close()
        services.cache_clear()


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def test_a_new_recording_asks_for_a_template_a_language_and_a_day(shared: Services) -> None:
    wait_until(lambda: bool(shared.templates.offered), "the templates are known")
    app = opened("add")
    box = app.selectbox(key="add-template")
    assert box.options[:2] == ["General", "Meeting"]
    assert (box.options[-1], box.value) == ("Your own", None)
    box.set_value("meeting")
    app.selectbox(key="add-language").set_value("de")
    app.date_input(key="add_recorded_at").set_value(date(2026, 1, 5)).run()
    app.text_area[0].set_value("http://127.0.0.1:1/talk.mp3")
    next(each for each in app.button if each.form_id == "add_addresses").click().run()
    assert not app.exception
    assert shared.library is not None
    [row] = shared.library.search(Query()).rows
    analysis = shared.library.analysis(row.media.id)
    assert analysis is not None
    assert analysis.request["template"]["name"] == "meeting"
    assert analysis.request["insightsLanguage"] == "de"
    assert analysis.request["recordedAt"] == "2026-01-05"
    app.toggle(key="add_insights").set_value(False).run()
    assert "Template" not in {each.label for each in app.selectbox}


def test_ones_own_template_is_there_again(shared: Services) -> None:
    assert shared.library is not None
    media_id = add_recording(shared.library, ANSWER, audio=None)
    app = AppTest.from_file(str(PAGES / "recording.py"), default_timeout=30)
    app.query_params["id"] = media_id
    key = f"again-{media_id}"
    app.run().selectbox(key=f"{key}-template").set_value("own").run()
    app.text_input(key=f"{key}-name").set_value("Board")
    app.text_area(key=f"{key}-sections").set_value("Repairs: what is broken").run()
    press(app, "Generate insights again")
    wait_until(lambda: not shared.background.is_running(f"insights {media_id}"), "they are made")
    again = AppTest.from_file(str(PAGES / "recording.py"), default_timeout=30)
    again.query_params["id"] = media_id
    again.run()
    assert again.selectbox(key=f"{key}-template").value == "own"
    assert again.text_input(key=f"{key}-name").value == "Board"
    assert again.text_area(key=f"{key}-sections").value == "Repairs: what is broken"


def test_the_page_ask_is_about_what_the_library_shows(shared: Services) -> None:
    assert shared.library is not None
    made = seed(shared.library, 60)
    app = opened("library")
    press(app, "Ask about these")
    app.switch_page("ask.py").run()
    [about] = app.expander
    assert about.label == "About the first 50 of 60 recordings"
    assert made[0].title in about.markdown[0].value
    app.text_input[0].set_value("What was it about?")
    press(app, "Ask")

    def answered() -> bool:
        app.run()
        return any("Answered by scripted" in caption.value for caption in app.caption)

    wait_until(answered, "there is an answer")
    assert "**What was it about?**" in {each.value for each in app.markdown}
    app.text_input[0].set_value(" ")
    press(app, "Ask")
    assert not [each for each in app.button if each.label == "Stop"]


def test_a_question_without_a_text_to_ask_about(shared: Services) -> None:
    app = opened("ask")
    assert app.info[0].value == "None of these recordings has a text yet."
    assert not app.text_input
