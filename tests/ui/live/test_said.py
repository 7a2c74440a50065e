"""What the page of a live recording is told."""

from typing import Any

from echostream_ui.live.said import Label, Piece, Said, insights_so_far


def partial(seq: int, text: str, start_s: float, **more: Any) -> dict[str, Any]:
    told = {"seq": seq, "text": text, "start": start_s, "end": start_s + 1.0}
    return told | {"tentative": "", "lagMs": 100, "labels": []} | more


def said() -> Said:
    told = Said()
    told.take_partial(partial(1, " We ship.", 0.0))
    told.take_partial(partial(2, " When?", 2.0, tentative=" On"))
    told.take_partial(partial(2, "", 0.0, labels=[{"seq": 1, "speaker": "A"}]))
    return told


def test_text_is_only_added() -> None:
    told = said()
    assert told.pieces == [Piece(1, 0.0, 1.0, " We ship."), Piece(2, 2.0, 3.0, " When?")]
    assert told.labels == [Label(1, "A")]
    assert told.tentative == ""


def test_the_end_settles_who_spoke_and_leaves_the_text() -> None:
    told = said()
    before = list(told.pieces)
    segments = [
        {"start": 0.0, "end": 1.8, "text": "We ship it.", "speaker": "B"},
        {"start": 1.8, "end": 3.2, "text": "When?", "speaker": "A"},
    ]
    told.settle({"revised": True, "segments": segments})
    assert told.pieces == before
    assert told.labels == [Label(1, "A"), Label(1, "B"), Label(2, "A")]
    assert told.is_revised


def test_an_end_without_speakers_or_text() -> None:
    for segments in ([], [{"start": 5.0, "end": 6.0, "text": "When?", "speaker": None}]):
        told = said()
        told.settle({"segments": segments})
        assert told.labels == [Label(1, "A")]
        assert not told.is_revised


def test_statements_have_the_time_of_their_evidence() -> None:
    item = {"id": 3, "text": "Ship it", "owner": "Ann", "due": None, "evidence": [2, 1]}
    lost = {"id": 1, "text": "We wait", "evidence": [9]}
    update = {
        "insights": {"details": {"action_items": [item], "decisions": [lost]}},
        "segments": [{"id": 1, "start": 1.5, "end": 2.0}, {"id": 2, "start": 2.0, "end": 3.0}],
    }
    assert insights_so_far(update) == {
        "actionItems": [{"id": 3, "text": "Ship it", "owner": "Ann", "due": None, "at": 1.5}],
        "decisions": [{"id": 1, "text": "We wait", "owner": None, "due": None, "at": None}],
    }
    del update["segments"]  # as older servers have it
    assert insights_so_far(update)["actionItems"][0]["at"] is None
