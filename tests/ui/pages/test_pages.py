"""Each page by Streamlit's own test driver: what it shows when there is little, or nothing."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from conftest import ROOT
from echostream_ui.library.media import Media
from echostream_ui.library.search import Query
from echostream_ui.services import Services
from ui.seeded import seed
from ui.standins import ANSWER

Open = Callable[[str], AppTest]


@pytest.fixture
def opened(app_services: Services) -> Open:
    def open_page(name: str, **query: str) -> AppTest:
        app = AppTest.from_file(
            str(ROOT / "src" / "echostream_ui" / "pages" / "frame.py"), default_timeout=30
        )
        app.run()
        app.query_params.update(query)
        app.switch_page(f"{name}.py").run()
        assert not app.exception
        return app

    return open_page


def said(app: AppTest) -> str:
    texts = [*app.markdown, *app.caption, *app.error, *app.warning, *app.header]
    return "\n".join(element.value for element in texts)


def links(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link")]


@pytest.mark.parametrize("name", ["library", "add", "live", "dashboard"])
def test_every_page_says_that_the_api_is_away(opened, name):
    app = opened(name)
    assert "cannot be reached" in app.error[0].value
    assert "API_BASE_URL" in app.error[0].value


@pytest.mark.parametrize("name", ["library", "voices"])
def test_every_page_says_that_anybody_can_open_it(opened, name):
    """This driver's frontend listens on all addresses, as Streamlit does by itself."""
    assert "FRONTEND_PASSWORD" in opened(name).warning[0].value


def test_an_empty_library_says_what_to_do(opened):
    app = opened("library")
    assert "Nothing here yet" in said(app)
    assert links(app) == ["Add recordings", "Record live"]
    assert [button.label for button in app.button] == ["Try a sample recording"]
    assert not app.text_input, "there is nothing to search"


def test_the_last_used_preset_is_asked_for_even_while_the_api_is_away(opened, app_services):
    template = {"name": "meeting", "title": "Meeting", "instructions": "Look.", "sections": []}
    options = {
        "language": "de",
        "task": "translate",
        "prompt": "Größe",
        "wordTimestamps": True,
        "diarize": False,
        "insights": True,
        "model": "small",
        "template": template,
        "insightsLanguage": "fr",
    }
    presets = app_services.library.presets
    presets.keep("Board", options)
    presets.keep("Calls", {})
    presets.keep("Board", options)
    app = opened("add")
    assert app.selectbox(key="add_preset").value == "Board"
    app.text_area[-1].set_value("http://127.0.0.1:1/talk.mp3")
    next(each for each in app.button if each.form_id == "add_addresses").click().run()
    [row] = app_services.library.search(Query()).rows
    assert app_services.library.analysis(row.media.id).request.items() >= options.items()
    app.selectbox(key="add_preset").set_value("Calls").run()
    assert app.selectbox(key="add_language").value is None
    assert app.text_input(key="add_prompt").value == ""
    assert presets.all()[0].name == "Calls"


def rows_of(app: AppTest) -> list[dict[str, Any]]:
    """What the library's list shows."""
    (found,) = [each.proto for each in app.get("bidi_component") if "rows" in each.proto.json]
    return list(json.loads(found.json)["rows"])


@pytest.mark.parametrize("media_id", ["", "nonsense", "00000000-0000-4000-8000-000000000000"])
def test_a_recording_that_is_not_there(opened, media_id):
    app = opened("recording", id=media_id)
    assert "not in the library" in app.info[0].value
    assert links(app) == ["Go to the library"]


def test_the_library_shows_what_there_is(opened, app_services):
    newest = seed(app_services.library, 60)[0]
    app = opened("library")
    first, *others = rows_of(app)
    assert len(others) == 49
    assert (first["title"], first["state"]) == (newest.title, "Done")
    assert "60 recordings" in said(app)


def test_a_search_shows_where_the_words_are(opened, app_services):
    seed(app_services.library, 5)
    app_services.library.add(_media("one"), {})
    app_services.library.complete("one", ANSWER)
    app = opened("library")
    app.text_input(key="library_text").set_value("talked about the").run()
    first = rows_of(app)[0]
    [match] = first["matches"]
    assert [text for text, is_hit in match["parts"] if is_hit] == ["talked", "about", "the"]
    assert "".join(text for text, _ in match["parts"]) == "We talked about the budget."
    assert (match["clock"], match["at"], match["query"]) == ("0:00", "0", "talked")
    assert first["query"] == "talked"


def test_an_order_by_length(opened, app_services):
    seed(app_services.library, 20)
    app = opened("library")
    app.selectbox(key="library_order").set_value("Shortest first").run()
    shortest = min(row.media.duration_s for row in app_services.library.search(_everything()).rows)
    minutes, seconds = divmod(int(shortest), 60)
    assert rows_of(app)[0]["length"] == f"{minutes}:{seconds:02}"


def test_what_is_in_the_bin_does_not_make_a_library_full(opened, app_services):
    [media] = seed(app_services.library, 1)
    app_services.library.to_bin([media.id])
    app = opened("library")
    assert "Nothing here yet" in said(app)
    assert "Bin" in links(app)


def test_a_period_is_counted_from_the_users_day(opened, app_services):
    seed(app_services.library, 200)  # seven hours apart
    app = opened("library")
    app.selectbox(key="library_period").set_value("last_7").run()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    expected = Query(since=(midnight - timedelta(days=6)).date(), limit=200)
    assert f"{app_services.library.search(expected).total} recordings." in said(app)
    app.selectbox(key="library_period").set_value("range").run()
    assert "200 recordings." in said(app)
    app.date_input(key="library_until").set_value(midnight.date() - timedelta(days=7)).run()
    assert f"{200 - app_services.library.search(expected).total} recordings." in said(app)


def test_a_saved_filter_sets_what_it_says_and_nothing_else(opened, app_services):
    seed(app_services.library, 60)
    library = app_services.library
    kept = {
        "text": "budget",
        "tags": ["team", "nobody has this any more"],
        "period": "last_30",
        "order": "Title",
        "folder": "a folder that is gone",
        "sentiments": ["positive", "of a newer version"],
        "unheard of": "x",
    }
    library.filters.save("Mine", kept)
    app = opened("library")
    app.multiselect(key="library_languages").set_value(["de"]).run()
    app.selectbox(key="library_saved").set_value("Mine").run()
    assert not app.exception
    assert app.text_input(key="library_text_1").value == "budget"
    assert app.multiselect(key="library_tags_1").value == kept["tags"]
    assert app.multiselect(key="library_sentiments_1").value == ["positive"]
    assert app.multiselect(key="library_languages_1").value == []
    assert app.selectbox(key="library_period_1").value == "last_30"
    assert app.selectbox(key="library_order_1").value == "Title"
    next(button for button in app.button if button.label == "Overwrite").click().run()
    del kept["folder"], kept["unheard of"]
    assert library.filters.all()[0].choice == kept | {"sentiments": ["positive"]}


def test_a_folder_that_is_deleted_elsewhere_is_chosen_no_more(opened, app_services):
    made = seed(app_services.library, 3)
    folders = app_services.library.folders
    gone, _kept = folders.add("Gone"), folders.add("Kept")
    folders.move([made[0].id], gone)
    app = opened("library")
    app.selectbox(key="library_folder").set_value(gone).run()
    assert "1 recording." in said(app)
    folders.delete(gone)
    app.run()
    assert not app.exception
    assert "3 recordings." in said(app)


def test_a_dashboard_without_recordings_says_so(opened):
    assert "once there are some" in said(opened("dashboard"))


def test_a_dashboard_of_a_period_without_recordings(opened, app_services):
    seed(app_services.library, 3, newest=datetime.now(UTC) - timedelta(days=200))
    assert "There are no recordings in this period" in said(opened("dashboard"))


def test_a_dashboard_of_one_recording(opened, app_services):
    seed(app_services.library, 1)
    app = opened("dashboard")
    values = {metric.label: metric.value for metric in app.metric}
    assert values["Recordings"] == "1"
    assert values["Open action items"] == "1"


def test_what_waits_for_the_api_stands_on_the_add_page(opened, app_services):
    app_services.intake.add_url(app_services.library, "https://example.com/talk.mp3", {})
    app = opened("add")
    assert "example" in said(app)
    assert "Cancel" in {button.label for button in app.button}


def test_titles_are_no_markup(opened, app_services):
    app_services.library.add(_media("one", title="**a** [b](c) <i>"), {})
    app_services.library.update_media("one", state="failed", message="It failed.")
    app = opened("add")
    assert r"\*\*a\*\* \[b\](c) \<i\>" in said(app)


def _media(media_id: str, **more: object) -> Media:
    facts = {"title": "talk.mp3", "source": "file", "source_name": "talk.mp3"} | more
    return Media(id=media_id, created_at=datetime.now(UTC), **facts)


def _everything() -> Query:

    return Query()
