"""Who speaks in a recording, as the user says: other names, and lines that are somebody else's.

The answer stays as it is. What the user says is kept beside it, by ids of speakers and segments.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.names import (
    changes,
    known_speakers,
    renamed_owner,
    speaker_of,
    speakers_of,
)
from echostream_ui.library.values import Json

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class TalkTime:
    """How long somebody speaks. `ids` are those of all speakers with this name, the one who speaks
    longest first."""

    name: str
    ids: tuple[str, ...]
    seconds: float


def name_of(speaker: str, analysis: Analysis) -> str:
    return analysis.speakers.get(speaker, speaker)


def renamed_everywhere(analysis: Analysis, line_id: int, name: str) -> Analysis:
    """Gives `name` to all who are called like the speaker of this line. If somebody else is called
    so already, the two are one from then on."""
    before = _speaker_of_line(analysis, line_id)
    if before is None:
        return given(analysis, line_id, name)
    old = name_of(before, analysis)
    same = [each for each in known_speakers(analysis) if name_of(each, analysis) == old]
    others = {
        speaker: called for speaker, called in analysis.speakers.items() if speaker not in same
    }
    return named(analysis, others | {each: name for each in same if each != name})


def given(analysis: Analysis, line_id: int, name: str) -> Analysis:
    """Gives one line to whoever is called `name`: a speaker of the recording, or a new one."""
    recognised = _speaker_of_line(replace(analysis, line_speakers={}), line_id)
    called = [each for each in known_speakers(analysis) if name_of(each, analysis) == name]
    names = dict(analysis.speakers)
    if called:
        speaker = recognised if recognised in called else called[0]
    else:
        speaker = _unused(name, {*known_speakers(analysis), *names})
        if speaker != name:
            names[speaker] = name
    lines = {line: whose for line, whose in analysis.line_speakers.items() if line != line_id}
    if speaker != recognised:
        lines[line_id] = speaker
    return replace(analysis, speakers=names, line_speakers=lines)


def named(analysis: Analysis, names: Mapping[str, str]) -> Analysis:
    """Returns the analysis with these names, also as those of the action items' owners."""
    changed = changes(known_speakers(analysis), analysis.speakers, names)
    items = tuple(
        replace(item, owner=renamed_owner(item, changed)) for item in analysis.action_items
    )
    return replace(analysis, speakers=dict(names), action_items=items)


def talk_times(analysis: Analysis) -> list[TalkTime]:
    """Returns how long each speaker speaks, those whom the user added last. Speakers with the same
    name are one, and those who have no line any more are left out."""
    seconds = {
        each["id"]: float(each["seconds"])
        for each in (analysis.response or {}).get("speakers") or ()
    }
    for segment in (analysis.response or {}).get("segments") or ():
        recognised, speaker = segment.get("speaker"), speaker_of(segment, analysis)
        if speaker is not None and speaker != recognised:
            taken_s = max(0.0, segment["end"] - segment["start"])
            seconds[speaker] = seconds.get(speaker, 0.0) + taken_s
            if recognised in seconds:
                seconds[recognised] = max(0.0, seconds[recognised] - taken_s)
    without_lines = set(known_speakers(analysis)) - set(speakers_of(analysis))
    by_name: dict[str, list[str]] = {}
    for speaker in seconds:
        if speaker not in without_lines:
            by_name.setdefault(name_of(speaker, analysis), []).append(speaker)
    return [
        TalkTime(
            name,
            tuple(sorted(ids, key=lambda each: -seconds[each])),
            round(sum(seconds[each] for each in ids), 3),
        )
        for name, ids in by_name.items()
    ]


def undoing(before: Analysis, after: Analysis) -> Json:
    """Returns what `undone` needs to take back the step from `before` to `after`: the values of
    before, None where there was none, of what that step changed."""
    return {
        "speakers": _differences(after.speakers, before.speakers),
        "line_speakers": _differences(after.line_speakers, before.line_speakers),
        "owners": [
            [old.text, new.owner, old.owner]
            for old, new in zip(before.action_items, after.action_items, strict=True)
            if old.owner != new.owner
        ],
    }


def undone(analysis: Analysis, step: Json) -> Analysis:
    """Takes a step back. What others have changed since then stays."""
    lines = {int(line): whose for line, whose in step["line_speakers"].items()}
    owners = {(text, now): before for text, now, before in step["owners"]}
    items = tuple(
        replace(item, owner=owners.get((item.text, item.owner), item.owner))
        for item in analysis.action_items
    )
    return replace(
        analysis,
        speakers=_with(analysis.speakers, step["speakers"]),
        line_speakers=_with(analysis.line_speakers, lines),
        action_items=items,
    )


def _speaker_of_line(analysis: Analysis, line_id: int) -> str | None:
    segments = (analysis.response or {}).get("segments") or ()
    segment = next(each for each in segments if each["id"] == line_id)
    return speaker_of(segment, analysis)


def _unused(name: str, taken: set[str]) -> str:
    """An id for a new speaker: the name, with a number if somebody has that id under another
    name."""
    speaker, number = name, 1
    while speaker in taken:
        number += 1
        speaker = f"{name} {number}"
    return speaker


def _differences(now: Mapping[K, str], before: Mapping[K, str]) -> dict[K, str | None]:
    keys = dict.fromkeys([*before, *now])
    return {key: before.get(key) for key in keys if before.get(key) != now.get(key)}


def _with(now: Mapping[K, str], changes: Mapping[K, str | None]) -> dict[K, str]:
    after: dict[K, str | None] = {**now, **changes}
    return {key: value for key, value in after.items() if value is not None}
