"""Changes of a transcript are kept beside the answer, and each can be taken back."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import StoreError
from echostream_ui.library.transcript import segments_of
from echostream_ui.recording.edits import keep, keep_names
from ui.recordings import add_recording
from ui.standins import ANSWER

SEGMENTS = [
    {"id": 5, "start": 0.0, "end": 4.0, "text": "The lift is broken.", "speaker": "A"},
    {"id": 6, "start": 4.0, "end": 8.0, "text": "I call the firm.", "speaker": "B"},
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "library")) as opened:
        yield opened


@pytest.fixture
def media_id(store: SqliteStore) -> str:
    return add_recording(store, ANSWER | {"segments": SEGMENTS}, audio=None)


def kept(store: SqliteStore, media_id: str) -> Analysis:
    analysis = store.analysis(media_id)
    assert analysis is not None
    return analysis


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"texts": [{"id": 5, "text": "It is."}, {"id": 6, "text": None}]},
            ["A: It is.", "B: I call the firm."],
        ),
        (
            {"speaker": {"line": 6, "name": " Bo\n Lee ", "everywhere": True}},
            ["A: The lift is broken.", "Bo Lee: I call the firm."],
        ),
        (
            {"speaker": {"line": 6, "name": "A", "everywhere": True}},
            ["A: The lift is broken.", "A: I call the firm."],
        ),
        (
            {"speaker": {"line": 5, "name": "Cy", "everywhere": False}},
            ["Cy: The lift is broken.", "B: I call the firm."],
        ),
    ],
)
def test_a_change_is_kept_and_taken_back(
    store: SqliteStore, media_id: str, change: dict[str, Any], said: list[str]
) -> None:
    keep_names(store, media_id, {})
    before = kept(store, media_id)
    undo = json.loads(json.dumps(keep(store, media_id, change)))  # by way of the browser
    after = kept(store, media_id)
    assert [f"{each['speaker']}: {each['text']}" for each in segments_of(after)] == said
    assert after.response == before.response
    again = keep(store, media_id, undo)
    assert kept(store, media_id) == before
    keep(store, media_id, again)
    assert kept(store, media_id) == after


def test_what_cannot_be_kept_is_said(store: SqliteStore, media_id: str) -> None:
    nameless = {"speaker": {"line": 5, "name": " ", "everywhere": True}}
    with pytest.raises(StoreError, match="needs a name"):
        keep(store, media_id, nameless)
    with pytest.raises(StoreError, match="deleted"):
        keep(store, "gone", nameless)
    endless = {"speaker": {"line": 5, "name": "x" * 1000, "everywhere": True}}
    keep(store, media_id, endless)
    assert kept(store, media_id).speakers == {"A": "x" * 100}
