"""The action items of a recording, and what the user does to them."""

from collections.abc import Mapping
from datetime import date

import streamlit as st

from echostream_ui.components.action_items import action_items, row
from echostream_ui.components.player import places
from echostream_ui.library.action_items import changed, place_of
from echostream_ui.library.analysis import ActionItem, Analysis
from echostream_ui.library.names import renamed, since_insights, speakers_of
from echostream_ui.library.speakers import name_of
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.transcript import Line
from echostream_ui.library.values import Json
from echostream_ui.recording.saving import save
from echostream_ui.recording.told import told

_LONGEST_TEXT, _LONGEST_FACT = 500, 100
_FIELDS = ("text", "owner", "due", "due_date", "done", "evidence", "found")


@st.fragment
@told
def show(store: Store, media_id: str, lines: Mapping[int, Line]) -> None:
    """Shows the items. Reads them itself, so that ticking one does not rerun the whole page."""
    analysis = store.analysis(media_id)
    if analysis is None:
        return
    key = f"items-{media_id}"
    names = since_insights(analysis)

    def edited(change: Json) -> None:
        def edit(latest: Analysis) -> Json:
            return {"action_items": with_change(latest.action_items, change)}

        save(store, media_id, f"{key}-reply", change, edit)

    action_items(
        [
            row(place, item, renamed(item.text, names), places(item.evidence, lines))
            for place, item in enumerate(analysis.action_items)
        ],
        list(dict.fromkeys(name_of(each, analysis) for each in speakers_of(analysis))),
        key=key,
        reply=st.session_state.get(f"{key}-reply"),
        on_edit=edited,
    )


def with_change(items: tuple[ActionItem, ...], change: Json) -> tuple[ActionItem, ...]:
    """Returns the items with a change, as the list describes it. Raises StoreError if the item that
    it is about is gone, and for what cannot be kept."""
    after = list(items)
    if "add" in change:
        fields = _checked(change["add"])
        evidence = tuple(fields.pop("evidence", None) or ())
        after.insert(change.get("place", len(after)), ActionItem(**fields, evidence=evidence))
        return tuple(after)
    place = place_of(items, change["place"], change["stored"])
    if "set" in change:
        after[place] = changed(after[place], _checked(change["set"]))
    else:
        del after[place]
    return tuple(after)


def _checked(fields: Json) -> Json:
    """The fields of an item, with their texts tidied up and no longer than they may be."""
    known = {name: value for name, value in fields.items() if name in _FIELDS}
    for name in ("text", "owner", "due"):
        if isinstance(value := known.get(name), str):
            longest = _LONGEST_TEXT if name == "text" else _LONGEST_FACT
            known[name] = " ".join(value.split())[:longest] or None
    if "text" in known and not known["text"]:
        raise StoreError("An action item needs a text.")
    if known.get("due_date"):
        try:
            date.fromisoformat(known["due_date"])
        except ValueError as error:
            raise StoreError("The day is not one of the calendar.") from error
    return known
