"""Action items: as insights have them, as the user changed them, and after newer insights."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from echostream_ui.library.analysis import ActionItem, Analysis
from echostream_ui.library.names import renamed, renamed_owner, since_insights
from echostream_ui.library.store import StoreError
from echostream_ui.library.values import Json


def action_items_of(insights: Json | None) -> tuple[ActionItem, ...]:
    """Returns the action items of insights, without the user's changes."""
    found = ((insights or {}).get("details") or {}).get("action_items", [])
    return tuple(
        ActionItem(
            text=item["text"],
            owner=item.get("owner"),
            due=item.get("due"),
            evidence=tuple(item.get("evidence", ())),
            due_date=item.get("due_date"),
        )
        for item in found
    )


def changed(item: ActionItem, changes: Json) -> ActionItem:
    """Returns the item with new values of some fields. New words for when it is due take the place
    of the day before, and a new day that of the words, unless both are given."""
    changes = {name: value for name, value in changes.items() if getattr(item, name) != value}
    if "due" in changes:
        changes = {"due_date": None} | changes
    elif changes.get("due_date"):
        changes |= {"due": None}
    if "text" in changes:
        changes |= {"found": item.found or item.text}
    return replace(item, **changes)


def place_of(items: Sequence[ActionItem], place: int, text: str) -> int:
    """Returns where the item with this text stands that stood at `place` when somebody looked.
    Raises StoreError if it is gone."""
    texts = [item.text for item in items]
    if place < len(texts) and texts[place] == text:
        return place
    if text not in texts:
        raise StoreError("This action item has been changed or deleted meanwhile.")
    return texts.index(text)


def merged_items(insights: Json, latest: Analysis) -> tuple[ActionItem, ...]:
    """Returns the action items of newer insights without losing the user's changes to the ones of
    `latest`. An item with the same words stays as the user left it, or deleted if it was. An item
    that the newer insights do not have stays if the user had added it, changed it or ticked it
    off."""
    merged, left = _merged(_named_items(replace(latest, insights=insights)), latest)
    return (*merged, *left)


def carried_items(before: Analysis, after: Analysis) -> tuple[ActionItem, ...]:
    """The same for results that take the place of those of `before`. Items that only `before` has
    lose their evidence: it is about the lines of another transcript."""
    merged, left = _merged(_named_items(after), before)
    return (*merged, *(replace(item, evidence=()) for item in left))


def replaced(before: Sequence[ActionItem], after: Sequence[ActionItem]) -> str:
    """Says in sentences what newer insights did to the action items; nothing if nothing."""
    old, new = [item.text for item in before], [item.text for item in after]
    gone = [text for text in old if text not in new]
    counts = (
        ("kept", len(old) - len(gone)),
        ("new", sum(text not in old for text in new)),
        ("replaced", len(gone)),
    )
    told = ", ".join(f"{count} {what}" for what, count in counts if count)
    quoted = ", ".join(f"“{text}”" for text in gone)
    return f"Action items: {told}{f' ({quoted})' if gone else ''}." if told else ""


def _merged(
    newer: Iterable[ActionItem], latest: Analysis
) -> tuple[list[ActionItem], list[ActionItem]]:
    """Returns the newer items as the user left them, and the user's own that are not among them."""
    before = _named_items(latest)
    names = since_insights(latest)
    left = list(latest.action_items)
    kept = {words for item in left for words in _words_of(item, {})}
    deleted = {
        words
        for item in before
        if _words(item.text) not in kept
        for words in _words_of(item, names)
    }
    merged = []
    for item in newer:
        known = next((each for each in left if _words(item.text) in _words_of(each, names)), None)
        if known is not None:
            left.remove(known)
            merged.append(replace(known, evidence=item.evidence))
        elif _words(item.text) not in deleted:
            merged.append(item)
    return merged, [item for item in left if item not in before]


def _named_items(analysis: Analysis) -> list[ActionItem]:
    """The items of the insights, with owners as the user calls them now."""
    names = since_insights(analysis)
    return [
        replace(item, owner=renamed_owner(item, names))
        for item in action_items_of(analysis.insights)
    ]


def _words_of(item: ActionItem, names: Mapping[str, str]) -> set[str]:
    """What newer insights may call the item: its text, the one it was found with, and both with the
    speakers' present names."""
    texts = {item.text, item.found or item.text}
    return {_words(each) for text in texts for each in (text, renamed(text, names))}


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
