"""The names that users give to speakers, put into texts that were written before.

Insights call speakers as they were called when the insights were made: by the API's names (`A`,
`B`, …), or by the user's names of that time, which are kept with them. What the store has of the
insights stays as it was, so that names can be changed as often as anybody likes.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from echostream_ui.library.analysis import ActionItem, Analysis
from echostream_ui.library.values import Json

_LETTERS = re.compile(r"[A-Z]{1,2}")
"""What the API calls speakers whose names it does not know."""

_TEXTS = ("key_points", "decisions", "questions", "action_items")


def speaker_of(segment: Json, analysis: Analysis) -> str | None:
    """Returns the id of the speaker of one of the answer's segments: the one that the user gave it
    to, or the API's. None if nobody told who speaks."""
    found: str | None = analysis.line_speakers.get(segment["id"], segment.get("speaker"))
    return found


def speakers_of(analysis: Analysis) -> list[str]:
    """Returns the ids of those who have lines, in order of their first words."""
    segments = (analysis.response or {}).get("segments") or []
    found = (speaker_of(segment, analysis) for segment in segments)
    return list(dict.fromkeys(each for each in found if each))


def known_speakers(analysis: Analysis) -> list[str]:
    """The same, and after them those of the answer whose lines the user gave to others."""
    recognised = speakers_of(replace(analysis, line_speakers={}))
    return list(dict.fromkeys([*speakers_of(analysis), *recognised]))


def changes(
    speakers: Iterable[str], before: Mapping[str, str], after: Mapping[str, str]
) -> dict[str, str]:
    """Returns the new name for each old one that has changed. A name that two speakers shared and
    who now have different ones stays, because nobody can tell who was meant."""
    names: dict[str, set[str]] = defaultdict(set)
    for speaker in speakers:
        names[before.get(speaker, speaker)].add(after.get(speaker, speaker))
    only = {old: next(iter(new)) for old, new in names.items() if len(new) == 1}
    return {old: new for old, new in only.items() if new != old}


def since_insights(analysis: Analysis) -> dict[str, str]:
    """Returns the changes since the insights that are shown were made."""
    before = (analysis.insights or {}).get("speakers") or {}
    return changes(known_speakers(analysis), before, analysis.speakers)


def renamed(text: str, changed: Mapping[str, str]) -> str:
    """Returns the text with the new names. A letter is only taken for a speaker after that word:
    "A plan" is about nobody."""

    def new(found: re.Match[str]) -> str:
        name = changed.get(found[0]) or changed[found[0].split()[-1]]
        return f"Speaker {name}" if _LETTERS.fullmatch(name) else name

    # All at once, so that two speakers can swap their names. One name may begin with another.
    names = sorted(changed, key=len, reverse=True)
    written = "|".join(map(_written, names))
    return re.sub(rf"(?<!\w)(?:{written})(?!\w)", new, text) if changed else text


def renamed_insights(insights: Json, changed: Mapping[str, str]) -> Json:
    """The insights with the new names in all of their statements."""
    if not changed:
        return insights
    details = insights.get("details") or {}
    lists = {name: _points(details[name], changed) for name in _TEXTS if name in details}
    sections = [
        section | {"items": _points(section["items"], changed)}
        for section in details.get("sections") or ()
    ]
    return insights | {
        "summary": renamed(insights.get("summary") or "", changed),
        "details": details | lists | {"sections": sections},
    }


def renamed_owner(item: ActionItem, changed: Mapping[str, str]) -> str | None:
    return changed.get(item.owner, item.owner) if item.owner else None


def _points(found: Iterable[Json], changed: Mapping[str, str]) -> list[dict[str, Any]]:
    return [point | {"text": renamed(point["text"], changed)} for point in found]


def _written(name: str) -> str:
    """A pattern for the name in a text."""
    return rf"[Ss]peaker\s+{name}" if _LETTERS.fullmatch(name) else re.escape(name)
