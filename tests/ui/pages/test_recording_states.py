"""The recording page where there is no transcript to show, or not all of it."""

import http.server
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from conftest import ROOT
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.services import services
from ui.recordings import add_recording, long_answer
from ui.site import free_port
from web.support import wait_until

PAGE = str(ROOT / "src" / "echostream_ui" / "pages" / "recording.py")
Look = Callable[[str], AppTest]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a frontend whose API is not there."""
    monkeypatch.setenv("LIBRARY_PATH", str(tmp_path / "library"))
    monkeypatch.setenv("API_BASE_URL", f"http://127.0.0.1:{free_port()}")
    return tmp_path / "library"


@pytest.fixture
def store(library: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(library)
    yield store
    store.close()


@pytest.fixture
def look(library: Path) -> Iterator[Look]:
    """`look(id)` is the page of that recording."""
    services.cache_clear()

    def run(media_id: str) -> AppTest:
        app = AppTest.from_file(PAGE, default_timeout=30)
        app.query_params["id"] = media_id
        app.run()
        assert not app.exception
        return app

    yield run
    services().close()
    services.cache_clear()


def answer(**more: Any) -> dict[str, Any]:
    return long_answer(3) | more


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_places_without_text_are_listed(look: Look, store: SqliteStore) -> None:
    message = "Somebody seems to speak from 2.1 s to 3.0 s, but no words could be made out."
    gap = {"code": "speech_without_text", "message": message, "start": 2.1, "end": 3.0}
    other = {"code": "no_speakers", "message": "Voices could not be told apart."}
    app = look(add_recording(store, answer(warnings=[gap, other]), audio=None))
    assert [each.label for each in app.expander if "check" in each.label] == ["2 places to check"]
    app = look(add_recording(store, answer(), audio=None))
    assert not [each for each in app.expander if "check" in each.label]


def test_a_library_that_fails_is_said(look: Look, store: SqliteStore, library: Path) -> None:
    media_id = add_recording(store, answer(), audio=None)
    with sqlite3.connect(library / "library.db") as database:
        database.execute("ALTER TABLE analysis RENAME TO mislaid")
    database.close()
    app = look(media_id)
    assert app.error[0].value.startswith("The library cannot be used: no such table")


def test_one_under_way_says_what_it_waits_for(look: Look, store: SqliteStore) -> None:
    media_id = add_recording(store, None, audio=None, state="waiting")
    store.update_media(media_id, source="url", source_name="http://127.0.0.1:9/a.mp3")
    intake = services().intake

    def trouble() -> str:
        progress = intake.progress(media_id)
        return (progress.trouble or "") if progress else ""

    wait_until(trouble, "the API has been missed")
    app = look(media_id)
    assert "cannot be reached" in app.warning[0].value
    assert "echostream serve" in app.warning[0].value
    app.button[0].click().run()
    assert "cancelled" in app.info[0].value
    found = store.media(media_id)
    assert found is not None
    assert found.state == "cancelled"


class JobAtWork(http.server.BaseHTTPRequestHandler):
    """An API whose every answer is a job that is being worked on."""

    text = "first *words* " + "of many that were said " * 100 + "and the last."

    def do_GET(self) -> None:
        beside = {"stage": "transcribing", "secondsLeft": 118, "text": self.text}
        body = json.dumps({"jobId": "job_1", "state": "active", "progress": 42, **beside}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def job_at_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), JobAtWork) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv("API_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()
        thread.join()


def test_a_job_shows_how_far_it_is_and_its_text(
    library: Path, job_at_work: None, store: SqliteStore, look: Look
) -> None:
    media_id = add_recording(store, None, audio=None, state="active", job_id="job_1")
    intake = services().intake
    wait_until(lambda: getattr(intake.progress(media_id), "text", ""), "the job has been seen")
    app = look(media_id)
    [bar] = app.get("progress")
    assert bar.proto.text == "Transcribing, 42%, about 2 minutes left"
    [shown] = app.text
    assert shown.value.startswith("… ")
    assert JobAtWork.text.endswith(shown.value[2:])
    assert 350 < len(shown.value) < 650


def test_a_failed_one_says_why_and_can_be_tried_again(look: Look, store: SqliteStore) -> None:
    words = "The file is not audio that can be decoded. Choose a file that plays."
    media_id = add_recording(store, None, audio=None, state="failed", message=words)
    app = look(media_id)
    assert app.error[0].value == words
    assert labels(app) == ["Edit details", "Delete", "Try again"]
    app.button[2].click().run()  # its audio is gone, so that it fails again
    wait_until(lambda: getattr(store.media(media_id), "state", "") == "failed", "it has failed")
    assert "no longer here" in look(media_id).error[0].value


def test_a_recording_without_speech(look: Look, store: SqliteStore) -> None:
    app = look(add_recording(store, answer(segments=[]), audio=None))
    infos = [info.value for info in app.info]
    assert infos == [
        "No speech was found in this recording.",
        "There is no text to generate insights from.",
    ]
    assert "Generate insights" not in labels(app)


def test_insights_that_were_not_made_can_be_asked_for(look: Look, store: SqliteStore) -> None:
    media_id = add_recording(store, answer(), audio=None)
    app = look(media_id)
    assert app.info[0].value == "This recording has no insights."
    [make] = [button for button in app.button if button.label == "Generate insights"]
    make.click().run()
    background = services().background
    wait_until(lambda: not background.is_running(f"insights {media_id}"), "the API was asked")
    app.run()
    assert "cannot be reached" in app.error[0].value
    assert "echostream serve" in app.error[0].value


def test_stand_in_insights_are_said_to_be_that(look: Look, store: SqliteStore) -> None:
    meta = {
        "provider": "extractive",
        "model": None,
        "coverage": 0.5,
        "degraded": True,
        "degraded_reason": "gemini: quota exceeded",
    }
    insights = {
        "summary": "*A* summary.",
        "topics": ["budget"],
        "sentiment": {"label": "neutral", "score": 0.5},
        "details": {"action_items": [], "meta": meta},
    }
    app = look(add_recording(store, answer(insights=insights), audio=None))
    assert "quota exceeded" in app.warning[0].value
    texts = [caption.value for caption in app.caption]
    assert (
        "Made offline, without a language model: quotes only. Only 50% of the text was read."
    ) in texts
    assert "This recording has no sentiment over time." in texts
