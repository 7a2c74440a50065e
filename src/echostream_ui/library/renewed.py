"""A recording's results after it was transcribed again, with what the user had said about them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from echostream_ui.library.action_items import carried_items
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.values import Json

Turn = tuple[str, float, float]
"""A speaker, and the seconds from the start of the audio where their words begin and end."""

_MOST_OF = 0.5
"""A speaker is taken for one of before who said more than this share of the same seconds."""


def renewed(before: Analysis, request: Json, response: Json) -> Analysis:
    """Returns the new results. The user's names for speakers stay where the same person speaks at
    the same times; changed and ticked action items stay; edits belong to the old text."""
    after = Analysis(
        before.media_id,
        request,
        response,
        response.get("insights"),
        speakers=carried_names(before, response),
    )
    return replace(after, action_items=carried_items(before, after))


def carried_names(before: Analysis, response: Json) -> dict[str, str]:
    """Returns the user's names for the speakers of another answer. Each goes to one speaker at
    most: the one who speaks longest while the named one spoke."""
    names: dict[str, str] = {}
    if not before.speakers:
        return names
    spoken: dict[str, float] = defaultdict(float)
    for speaker, start_s, end_s in _turns(response):
        spoken[speaker] += end_s - start_s
    given: set[str] = set()
    shared = _shared(before.response or {}, response)
    for (old, new), shared_s in sorted(shared.items(), key=lambda pair: -pair[1]):
        if old in given or new in names or shared_s <= _MOST_OF * spoken[new]:
            continue
        given.add(old)
        names[new] = before.speakers.get(old, "")
    return {new: name for new, name in names.items() if name}


def _turns(response: Json) -> list[Turn]:
    return sorted(
        (
            (each["speaker"], each["start"], each["end"])
            for each in response.get("segments", ())
            if each.get("speaker")
        ),
        key=lambda turn: turn[1:],
    )


def _shared(before: Json, after: Json) -> dict[tuple[str, str], float]:
    """Returns for how many seconds an old and a new speaker speak at the same time."""
    shared: dict[tuple[str, str], float] = defaultdict(float)
    for pair, seconds in _overlaps(_turns(before), _turns(after)):
        shared[pair] += seconds
    return shared


def _overlaps(before: list[Turn], after: list[Turn]) -> Iterator[tuple[tuple[str, str], float]]:
    """Goes through both lists once: turns of one answer hardly overlap."""
    i = j = 0
    while i < len(before) and j < len(after):
        old, new = before[i], after[j]
        seconds = min(old[2], new[2]) - max(old[1], new[1])
        if seconds > 0:
            yield (old[0], new[0]), seconds
        if old[2] <= new[2]:
            i += 1
        else:
            j += 1
