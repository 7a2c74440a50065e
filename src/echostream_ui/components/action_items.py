"""Action items in rows, to tick off, edit, delete and add."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

import streamlit as st

from echostream_ui.components.player import component
from echostream_ui.library.analysis import ActionItem
from echostream_ui.library.values import Json
from echostream_ui.words.wording import iso_day


def action_items(
    rows: Sequence[Json],
    people: Sequence[str],
    *,
    key: str,
    reply: Json | None,
    on_edit: Callable[[Json], None],
) -> None:
    """Shows rows of `row`. `people` are offered as owners.

    `on_edit` is called with a change and its `nonce`: new values of fields in `set`, or `remove`,
    of the item whose text is `stored` and that stood at `place`; or an item to `add`, at a `place`
    if there is one. The next run gives the outcome in `reply`: that nonce, and `error`, a sentence
    or None.
    """

    def edited() -> None:
        if change := st.session_state[key].edit:
            on_edit(change)

    component("action_items", "elements", "place", "requests", styles=("buttons", "action_items"))(
        key=key,
        data={"items": list(rows), "people": list(people), "reply": reply},
        on_edit_change=edited,
    )


def row(place: int, item: ActionItem, text: str, places: Sequence[Json]) -> Json:
    """The row of an item, whose `text` has the speakers' present names. `places` bear it out."""
    day = iso_day(item.due_date) if item.due_date else None
    return {
        "place": place,
        "stored": item.text,
        "text": text,
        "owner": item.owner,
        "due": item.due,
        "due_date": item.due_date,
        "day": day,
        "done": item.done,
        "places": list(places),
        "whole": asdict(item),
    }
