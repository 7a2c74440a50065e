"""The choice of a model, where the API offers more than one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from conftest import ROOT, running
from echostream.engine import LocalEngine, Model, Registry
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream_ui.library.search import Query
from echostream_ui.services import Services, services
from fakes import FakeTranscriber
from web.support import wait_until

LABEL = "Model"


def offering(*names: str) -> Registry:
    models = [
        Model(name, lambda name=name: FakeTranscriber(model=name), lambda: 0)  # type: ignore[misc]
        for name in names
    ]
    return Registry(models[0], models[1:])


@contextmanager
def beside_an_api(library: Path, *names: str) -> Iterator[Services]:
    """What pages share, beside a real API that offers these models."""

    def make_pipeline(settings: Settings) -> Pipeline:
        return Pipeline(settings, LocalEngine(settings, offering(*names)), None)

    with running(Settings(), make_pipeline) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("API_BASE_URL", url)
        patch.setenv("LIBRARY_PATH", str(library))
        services.cache_clear()
        yield services()
        services().close()
        services.cache_clear()


def opened(page: str) -> AppTest:
    app = AppTest.from_file(
        str(ROOT / "src" / "echostream_ui" / "pages" / "frame.py"), default_timeout=30
    )
    app.run()
    app.switch_page(f"{page}.py").run()
    assert not app.exception
    return app


def labels(app: AppTest) -> set[str]:
    return {box.label for box in app.selectbox}


def test_a_recording_asks_for_the_model_that_was_chosen(tmp_path: Path) -> None:
    with beside_an_api(tmp_path / "library", "base", "small") as found:
        wait_until(lambda: bool(found.models), "the models are known")
        app = opened("add")
        box = app.selectbox(key="add_model")
        assert (box.label, box.options, box.value) == (LABEL, ["base", "small"], "base")
        box.set_value("small").run()
        app.text_area[0].set_value("http://127.0.0.1:1/talk.mp3")
        next(each for each in app.button if each.form_id == "add_addresses").click().run()
        assert not app.exception
        assert found.library is not None
        [row] = found.library.search(Query()).rows
        analysis = found.library.analysis(row.media.id)
        assert analysis is not None
        assert analysis.request["model"] == "small"
        assert LABEL in labels(opened("live"))


@pytest.mark.parametrize("page", ["add", "live"])
def test_where_there_is_one_nothing_is_to_be_chosen(page: str, tmp_path: Path) -> None:
    with beside_an_api(tmp_path / "library", "base") as found:
        wait_until(lambda: bool(found.models), "the models are known")
        assert LABEL not in labels(opened(page))
