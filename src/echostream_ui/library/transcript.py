"""A recording's text as the user sees it: the API's segments with the user's edits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from echostream_ui.library.names import renamed_owner, since_insights
from echostream_ui.library.store import ActionItem, Analysis, Json


@dataclass(frozen=True, slots=True)
class Line:
    """One segment. `original` is the recognised text; `start_s` and `end_s` count from the start of
    the audio."""

    id: int
    start_s: float
    end_s: float
    text: str
    original: str
    speaker: str | None = None

    @property
    def is_edited(self) -> bool:
        return self.text != self.original


def lines_of(
    response: Json, edits: Mapping[int, str], speakers: Mapping[str, str]
) -> tuple[Line, ...]:
    """Returns the lines of an answer, in order of time."""
    return tuple(
        Line(
            id=segment["id"],
            start_s=segment["start"],
            end_s=segment["end"],
            text=edits.get(segment["id"], segment["text"]).strip(),
            original=segment["text"].strip(),
            speaker=speakers.get(speaker := segment.get("speaker"), speaker),
        )
        for segment in response.get("segments", [])
    )


def edited(
    response: Json, edits: Mapping[int, str], changes: Mapping[int, str | None]
) -> dict[int, str]:
    """Returns the edits with new texts for some lines. None or the original text undoes an edit."""
    originals = {line.id: line.original for line in lines_of(response, {}, {})}
    after = dict(edits)
    for line_id, text in changes.items():
        after.pop(line_id, None)
        if text is not None and text.strip() != originals[line_id]:
            after[line_id] = text.strip()
    return after


def text_of(response: Json, edits: Mapping[int, str]) -> str:
    """Returns the whole text, one line per segment."""
    return "\n".join(line.text for line in lines_of(response, edits, {}) if line.text)


def segments_of(analysis: Analysis) -> list[Json]:
    """Returns the lines with a text, with the user's names for the speakers, as segments that the
    API takes."""
    response = analysis.response or {}
    told = {each["id"]: each.get("language") for each in response.get("segments", [])}
    # Whatever was spoken, a translation is in English.
    spoken = "en" if analysis.request.get("task") == "translate" else None
    return [
        {
            "id": line.id,
            "start": line.start_s,
            "end": line.end_s,
            "text": line.text,
            "language": spoken or told[line.id] or response.get("language") or None,
            "speaker": line.speaker,
        }
        for line in lines_of(response, analysis.edits, analysis.speakers)
        if line.text
    ]


def action_items_of(insights: Json | None) -> tuple[ActionItem, ...]:
    """Returns the action items of insights, without the user's changes."""
    return tuple(
        ActionItem(
            text=item["text"],
            owner=item.get("owner"),
            due=item.get("due"),
            evidence=tuple(item.get("evidence", ())),
            due_date=item.get("due_date"),
        )
        for item in _details(insights).get("action_items", [])
    )


def merged_items(insights: Json, latest: Analysis) -> tuple[ActionItem, ...]:
    """Returns the action items of newer insights without losing the user's changes to the ones of
    `latest`. An item with the same text stays as the user left it; an item that the newer insights
    do not have stays if the user had changed it or ticked it off."""
    merged, left = _merged(_named_items(replace(latest, insights=insights)), latest)
    return (*merged, *left)


def carried_items(before: Analysis, after: Analysis) -> tuple[ActionItem, ...]:
    """The same for results that take the place of those of `before`. Items that only `before` has
    lose their evidence: it is about the lines of another transcript."""
    merged, left = _merged(_named_items(after), before)
    return (*merged, *(replace(item, evidence=()) for item in left))


def _merged(
    newer: Iterable[ActionItem], latest: Analysis
) -> tuple[list[ActionItem], list[ActionItem]]:
    """Returns the newer items as the user left them, and the user's own that are not among them."""
    untouched = _named_items(latest)
    known = {_key(item.text): item for item in latest.action_items}
    merged = [replace(known.pop(_key(item.text), item), evidence=item.evidence) for item in newer]
    return merged, [item for item in known.values() if item not in untouched]


def _named_items(analysis: Analysis) -> list[ActionItem]:
    """The items of the insights, with owners as the user calls them now."""
    changed = since_insights(analysis)
    return [
        replace(item, owner=renamed_owner(item, changed))
        for item in action_items_of(analysis.insights)
    ]


def _key(text: str) -> str:
    return " ".join(text.casefold().split())


def title_of(insights: Json | None) -> str | None:
    """Returns the title that a language model suggests, if any. The offline insights only quote
    frequent words: a file's own name says more than that."""
    details = _details(insights)
    if (details.get("meta") or {}).get("provider") == "extractive":
        return None
    return " ".join((details.get("title") or "").split()) or None


def _details(insights: Json | None) -> Json:
    return (insights or {}).get("details") or {}
