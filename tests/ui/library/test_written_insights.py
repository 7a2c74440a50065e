"""What the user writes in the insights: kept beside what was generated, and shown everywhere."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from echostream_ui.documents.domain import insights_of
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.archive.form import document, recording_of
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import StoreError
from echostream_ui.library.values import storable
from echostream_ui.library.written_insights import (
    after_replacing,
    earlier_points,
    is_written,
    parts_of,
    points_of,
    shown_insights,
    told_of_replaced,
    with_part,
)
from ui.recordings import add_recording
from ui.standins import ANSWER

GENERATED: dict[str, Any] = {
    "summary": "Speaker A pays.",
    "topics": ["rent"],
    "details": {
        "key_points": [{"text": "Speaker A pays the rent.", "evidence": [0]}],
        "decisions": [],
        "sections": [{"key": "repairs", "title": "Repairs", "items": []}],
    },
}
SEGMENTS = [{"id": 0, "start": 0.0, "end": 1.0, "text": "I pay the rent.", "speaker": "A"}]
POINT = {"text": "Ann pays the rent on Friday.", "evidence": [0]}


def analysis(**changes: Any) -> Analysis:
    before = Analysis("m", {}, ANSWER | {"segments": SEGMENTS}, GENERATED)
    return replace(before, **changes)


def changed(before: Analysis, part: str, *points: dict[str, Any]) -> Analysis:
    texts = [each["text"] for each in points_of(shown_insights(before) or {}, part)]
    return replace(before, insights=with_part(before, part, texts, points))


def texts(of: Analysis, part: str) -> list[str]:
    return [each["text"] for each in points_of(shown_insights(of) or {}, part)]


def test_every_part_can_be_written_and_what_was_generated_stays() -> None:
    after = analysis()
    for part in parts_of(GENERATED):
        after = changed(after, part, {"text": f" My {part},\nin  two lines ", "evidence": [0]})
    assert texts(after, "summary") == ["My summary,\nin two lines"]
    assert texts(after, "section:repairs") == ["My section:repairs, in two lines"]
    shown = insights_of(after, "T")
    assert shown is not None
    assert shown.summary == "My summary,\nin two lines"
    assert [point.text for point in shown.details.decisions] == ["My decisions, in two lines"]
    assert [point.text for point in shown.details.sections[0].items] == texts(
        after, "section:repairs"
    )
    assert shown.details.key_points[0].evidence == (0,)
    for part in parts_of(GENERATED):
        assert is_written(after, part)
        after = replace(after, insights=with_part(after, part, texts(after, part), None))
    assert after.insights == GENERATED | {"edited": {}}


def test_what_is_as_it_was_generated_is_no_edit() -> None:
    after = changed(analysis(), "summary", {"text": "Mine."})
    after = changed(after, "summary", {"text": " Speaker A  pays. "})
    assert not is_written(after, "summary")
    after = changed(after, "summary")
    assert is_written(after, "summary")
    assert texts(after, "summary") == []


def test_names_of_later_follow_from_the_time_of_writing() -> None:
    named = analysis(speakers={"A": "Ann"})
    assert texts(named, "key_points") == ["Ann pays the rent."]
    after = changed(named, "key_points", POINT)
    after = replace(after, speakers={"A": "Beatrix"})
    assert texts(after, "key_points") == ["Beatrix pays the rent on Friday."]
    assert texts(after, "summary") == ["Beatrix pays."]


def test_what_somebody_else_changed_meanwhile_is_not_overwritten() -> None:
    seen = analysis()
    elsewhere = changed(seen, "summary", {"text": "Theirs."})
    with pytest.raises(StoreError, match="changed meanwhile"):
        with_part(elsewhere, "summary", ["Speaker A pays."], [{"text": "Mine."}])
    with pytest.raises(StoreError, match="replaced meanwhile"):
        with_part(seen, "section:agenda", [], [{"text": "Mine."}])
    with pytest.raises(StoreError, match="replaced meanwhile"):
        with_part(analysis(insights=None), "summary", [], [{"text": "Mine."}])


def test_newer_insights_remember_what_they_replaced() -> None:
    before = changed(analysis(), "summary", {"text": "Mine."})
    before = changed(before, "section:repairs", {"text": "The lift."})
    newer = {"summary": "New.", "details": {"sections": []}}
    after = replace(before, insights=after_replacing(newer, before))
    assert texts(after, "summary") == ["New."]
    assert earlier_points(after, "summary") == [{"text": "Mine.", "evidence": []}]
    assert told_of_replaced(before, after) == (
        "Replaced what you had written: Summary, Repairs. Without a place now: “The lift.”."
    )
    twice = replace(after, insights=after_replacing(GENERATED, after))
    assert earlier_points(twice, "section:repairs") == [{"text": "The lift.", "evidence": []}]
    assert told_of_replaced(after, twice) == ""
    untouched = analysis()
    assert after_replacing(newer, untouched) == newer


def test_a_library_and_its_archive_keep_them(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "library")
    media_id = add_recording(store, ANSWER | {"insights": GENERATED, "segments": SEGMENTS})
    media, before = store.media(media_id), store.analysis(media_id)
    assert media is not None
    assert before is not None
    store.update_analysis(media_id, insights=changed(before, "summary", POINT).insights)
    kept = store.analysis(media_id)
    assert kept is not None
    assert texts(kept, "summary") == [POINT["text"]]
    assert kept.response == before.response
    text = json.dumps(storable(document(media, kept)))
    assert recording_of(text.encode(), media_id)[1].insights == kept.insights
    store.close()
