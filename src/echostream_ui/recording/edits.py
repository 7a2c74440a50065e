"""Keeps what the user changes in a transcript, beside the answer, and tells how to take it back."""

from collections.abc import Iterable, Mapping

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.speakers import given, named, renamed_everywhere, undoing, undone
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.transcript import edited
from echostream_ui.library.values import Json

_LONGEST_NAME = 100


def keep(store: Store, media_id: str, change: Json) -> Json:
    """Saves a change of the player's: `texts` of lines, a `speaker` (a `name` for the one of `line`
    `everywhere`, or for this line alone), or one to `undo`. Returns the change that takes it back.
    Raises StoreError."""
    before = _analysis(store, media_id)
    if "texts" in change:
        texts = {each["id"]: each["text"] for each in change["texts"]}
        _check_lines(before, texts)
        return _keep_texts(store, before, texts)
    if "undo" in change:
        return _keep_speakers(store, before, undone(before, change["undo"]))
    asked = change["speaker"]
    name = " ".join(asked["name"].split())[:_LONGEST_NAME]
    if not name:
        raise StoreError("A speaker needs a name.")
    _check_lines(before, [asked["line"]])
    change_name = renamed_everywhere if asked["everywhere"] else given
    return _keep_speakers(store, before, change_name(before, asked["line"], name))


def keep_names(store: Store, media_id: str, names: Mapping[str, str]) -> None:
    """Saves the names of all speakers, by id. Raises StoreError."""
    before = _analysis(store, media_id)
    _keep_speakers(store, before, named(before, names))


def _keep_texts(store: Store, before: Analysis, texts: Mapping[int, str | None]) -> Json:
    store.update_analysis(before.media_id, edits=edited(before, texts))
    return {"texts": [{"id": line, "text": before.edits.get(line)} for line in texts]}


def _keep_speakers(store: Store, before: Analysis, after: Analysis) -> Json:
    store.update_analysis(
        before.media_id,
        speakers=after.speakers,
        line_speakers=after.line_speakers,
        action_items=after.action_items,
    )
    return {"undo": undoing(before, after)}


def _check_lines(analysis: Analysis, line_ids: Iterable[int]) -> None:
    known = {line["id"] for line in (analysis.response or {}).get("segments", ())}
    if not known.issuperset(line_ids):
        raise StoreError("The recording has another transcript by now. Load this page again.")


def _analysis(store: Store, media_id: str) -> Analysis:
    analysis = store.analysis(media_id)
    if analysis is None or analysis.response is None:
        raise StoreError("The recording has been deleted meanwhile.")
    return analysis
