"""Action items, as they are edited and after newer insights."""

from dataclasses import replace
from typing import Any

import pytest

from echostream_ui.library.action_items import (
    action_items_of,
    changed,
    merged_items,
    place_of,
    replaced,
)
from echostream_ui.library.analysis import ActionItem, Analysis
from echostream_ui.library.store import StoreError
from echostream_ui.recording.items import with_change

SEND = ActionItem("Send it", "Ann", "Friday", evidence=(1,), due_date="2026-11-27")
REST = ActionItem("Rest")


def insights(*texts: str) -> dict[str, Any]:
    items = [{"text": text, "owner": None, "due": None, "evidence": [7]} for text in texts]
    return {"details": {"action_items": items}}


def analysis(*texts: str) -> Analysis:
    made = insights(*texts)
    return Analysis("1", {}, {}, made, action_items=action_items_of(made))


def test_words_and_a_day_belong_together() -> None:
    assert changed(SEND, {"due": "Monday"}).due_date is None
    assert changed(SEND, {"due": None}).due_date is None
    assert changed(SEND, {"due": "Friday", "owner": "Bo"}) == replace(SEND, owner="Bo")
    monday = changed(SEND, {"due_date": "2026-11-30"})
    assert (monday.due, monday.due_date) == (None, "2026-11-30")
    assert changed(SEND, {"due_date": None}).due == "Friday"
    both = changed(SEND, {"due": "Monday", "due_date": "2026-11-30"})
    assert (both.due, both.due_date) == ("Monday", "2026-11-30")


def test_items_are_added_edited_and_deleted() -> None:
    items = (SEND, REST)
    edited = with_change(
        items, {"place": 1, "stored": "Rest", "set": {"text": " Rest  well ", "done": True}}
    )
    assert edited == (SEND, ActionItem("Rest well", done=True, found="Rest"))
    # Somebody else has deleted the first one meanwhile.
    late = {"place": 1, "stored": "Rest", "set": {"done": True}}
    assert with_change((REST,), late) == (replace(REST, done=True),)
    left = with_change(items, {"place": 0, "stored": "Send it", "remove": True})
    assert left == (REST,)
    whole = {"text": "Send it", "owner": "Ann", "due": "Friday", "done": False, "evidence": [1]}
    whole |= {"due_date": "2026-11-27", "found": None}
    assert with_change(left, {"add": whole, "place": 0}) == items
    assert with_change(items, {"add": {"text": "New"}})[2] == ActionItem("New")


@pytest.mark.parametrize(
    "change",
    [
        {"place": 0, "stored": "gone", "set": {"done": True}},
        {"place": 5, "stored": "gone", "remove": True},
        {"add": {"text": "  "}},
        {"place": 0, "stored": "Rest", "set": {"text": None}},
        {"place": 0, "stored": "Rest", "set": {"due_date": "2026-02-30"}},
    ],
)
def test_what_cannot_be_kept_is_said(change: dict[str, Any]) -> None:
    with pytest.raises(StoreError):
        with_change((REST,), change)


def test_newer_insights_keep_what_the_user_did() -> None:
    latest = analysis("Call Bob.", "Pay", "Sell", "Wait")
    items = list(latest.action_items)
    items[0] = replace(items[0], done=True)
    items[1] = changed(items[1], {"text": "Pay the bill", "owner": "Ann"})
    del items[2]  # and Wait is left alone
    latest = replace(latest, action_items=(*items, ActionItem("Mine", done=True)))
    after = merged_items(insights("call bob", "Pay", "Sell", "New"), latest)
    assert [(item.text, item.owner, item.done) for item in after] == [
        ("Call Bob.", None, True),
        ("Pay the bill", "Ann", False),
        ("New", None, False),
        ("Mine", None, True),
    ]
    assert after[0].evidence == (7,)
    told = replaced(latest.action_items, after)
    assert told == "Action items: 3 kept, 1 new, 1 replaced (“Wait”)."
    # The newer ones are as good a start: nothing comes back, nothing is there twice.
    again = replace(latest, insights=insights("call bob", "Pay", "Sell", "New"), action_items=after)
    assert merged_items(insights("Pay the bill", "Sell", "New"), again) == (
        after[1],
        after[2],
        after[0],
        after[3],
    )
    assert replaced((), ()) == ""


def test_a_tick_stays_though_a_speaker_has_a_name_now() -> None:
    segments = [{"id": 1, "start": 0.0, "end": 1.0, "text": "x", "speaker": "A"}]
    latest = replace(analysis("Ask Speaker A"), response={"segments": segments})
    ticked = tuple(replace(item, done=True) for item in latest.action_items)
    latest = replace(latest, speakers={"A": "Ann"}, action_items=ticked)
    newer = insights("Ask Ann") | {"speakers": {"A": "Ann"}}
    assert [item.done for item in merged_items(newer, latest)] == [True]


def test_an_item_is_found_where_it_stands_now() -> None:
    items = [ActionItem("Rest"), ActionItem("Ship it")]
    assert place_of(items, 1, "Ship it") == 1
    assert place_of(items, 0, "Ship it") == 1, "somebody added another before it"
    assert place_of(items, 5, "Rest") == 0
    with pytest.raises(StoreError, match="changed or deleted"):
        place_of(items, 0, "Call")
