"""The user's own texts for parts of the insights, kept beside what was generated.

A part is the summary, a list of the details, or a section of the template; each is a list of
statements, the summary of one or none. The insights have the user's parts in `edited`, by the
part's name, each with what the speakers were called then; and in `replaced` those that newer
insights have taken the place of.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.names import (
    changes,
    known_speakers,
    renamed,
    renamed_insights,
    since_insights,
)
from echostream_ui.library.store import StoreError
from echostream_ui.library.values import Json

SUMMARY = "summary"
LISTS = {"key_points": "Key points", "decisions": "Decisions", "questions": "Questions"}
_SECTION = "section:"
_LONGEST = 10_000

Points = list[Json]
"""Statements with `text` and `evidence`, ids of segments."""


def shown_insights(analysis: Analysis) -> Json | None:
    """Returns the insights as the user sees them: with their own texts and the present names."""
    if analysis.insights is None:
        return None
    shown = _generated(analysis)
    for part, written in (analysis.insights.get("edited") or {}).items():
        shown = _with_part(shown, part, _as_named_now(analysis, written))
    return shown


def parts_of(insights: Json) -> dict[str, str]:
    """Returns the parts that insights can have, with their headings."""
    sections = (insights.get("details") or {}).get("sections") or ()
    return {SUMMARY: "Summary", **LISTS} | {
        f"{_SECTION}{each['key']}": str(each["title"]) for each in sections
    }


def points_of(insights: Json, part: str) -> Points:
    details = insights.get("details") or {}
    if part == SUMMARY:
        text = insights.get("summary")
        return [{"text": text, "evidence": []}] if text else []
    if part in LISTS:
        return list(details.get(part) or ())
    sections = details.get("sections") or ()
    return next(
        (list(each["items"]) for each in sections if f"{_SECTION}{each['key']}" == part), []
    )


def earlier_points(analysis: Analysis, part: str) -> Points | None:
    """Returns what the user had written for a part before newer insights took its place."""
    written = ((analysis.insights or {}).get("replaced") or {}).get(part)
    return _as_named_now(analysis, written) if written else None


def with_part(
    analysis: Analysis, part: str, before: Sequence[str], points: Sequence[Json] | None
) -> Json:
    """Returns the insights in which a part has the user's `points`, or again what was generated if
    that is the same or `points` is None. `before` are the texts that the user saw. Raises
    StoreError if they are others by now, and for a part that there is not."""
    shown = shown_insights(analysis)
    if shown is None or analysis.insights is None or part not in parts_of(shown):
        raise StoreError("These insights have been replaced meanwhile. Load this page again.")
    if [each["text"] for each in points_of(shown, part)] != list(before):
        raise StoreError("This part has been changed meanwhile. Load this page again.")
    edited = dict(analysis.insights.get("edited") or {})
    edited.pop(part, None)
    if points is not None:
        kept = _tidy(part, points)
        if kept != _tidy(part, points_of(_generated(analysis), part)):
            edited[part] = {"points": kept, "speakers": dict(analysis.speakers)}
    return analysis.insights | {"edited": edited}


def is_written(analysis: Analysis, part: str) -> bool:
    """Whether the user has changed a part."""
    return part in ((analysis.insights or {}).get("edited") or {})


def generation_of(analysis: Analysis) -> str:
    """Returns a text that is another one for other generated insights."""
    insights = analysis.insights or {}
    generated = {name: value for name, value in insights.items() if name != "edited"}
    return hashlib.sha256(json.dumps(generated, sort_keys=True).encode()).hexdigest()


def after_replacing(newer: Json, latest: Analysis) -> Json:
    """Returns newer insights that remember what the user had written in those of `latest`."""
    before = latest.insights or {}
    replaced = {**(before.get("replaced") or {}), **(before.get("edited") or {})}
    return newer | ({"replaced": replaced} if replaced else {})


def told_of_replaced(before: Analysis, after: Analysis) -> str:
    """Says in a sentence which of the user's texts newer insights took the place of, and quotes
    those that have no place among them; nothing if nothing."""
    headings = parts_of(before.insights or {})
    names = [heading for part, heading in headings.items() if is_written(before, part)]
    left = parts_of(after.insights or {})
    gone = [
        f"“{point['text']}”"
        for part in headings
        if part not in left and is_written(before, part)
        for point in points_of(shown_insights(before) or {}, part)
    ]
    told = f"Replaced what you had written: {', '.join(names)}." if names else ""
    return f"{told} Without a place now: {', '.join(gone)}." if gone else told


def _generated(analysis: Analysis) -> Json:
    return renamed_insights(analysis.insights or {}, since_insights(analysis))


def _as_named_now(analysis: Analysis, written: Json) -> Points:
    then: Mapping[str, str] = written.get("speakers") or {}
    names = changes(known_speakers(analysis), then, analysis.speakers)
    return [_whole(each) | {"text": renamed(each["text"], names)} for each in written["points"]]


def _with_part(insights: Json, part: str, points: Points) -> Json:
    if part == SUMMARY:
        return insights | {"summary": points[0]["text"] if points else ""}
    details = insights.get("details") or {}
    if part in LISTS:
        return insights | {"details": details | {part: points}}
    sections = [
        each | {"items": points} if f"{_SECTION}{each['key']}" == part else each
        for each in details.get("sections") or ()
    ]
    return insights | {"details": details | {"sections": sections}}


def _tidy(part: str, points: Sequence[Json]) -> Points:
    """The statements without empty ones, each on one line; a summary may have several."""
    kept = []
    for each in points[:1] if part == SUMMARY else points:
        lines = [" ".join(line.split()) for line in str(each["text"]).strip().splitlines()]
        text = ("\n" if part == SUMMARY else " ").join(lines)[:_LONGEST]
        if text:
            kept.append(_whole({"text": text, "evidence": each.get("evidence") or ()}))
    return kept


def _whole(point: Json) -> Json:
    evidence = [each for each in point.get("evidence") or () if isinstance(each, int)]
    return {"text": point["text"], "evidence": evidence}
