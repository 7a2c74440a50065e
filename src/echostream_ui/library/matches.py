"""The lines of a transcript in which a search has found its words."""

import re
from collections.abc import Mapping, Sequence

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.search import MARK_END, MARK_START, Match
from echostream_ui.library.transcript import lines_of
from echostream_ui.library.values import Json

_HIT = re.compile(f"{MARK_START}(.*?){MARK_END}")


def line_starts(response: Json, edits: Mapping[int, str]) -> list[float]:
    """Returns when each line of `transcript.text_of` begins, in seconds. A segment that the user
    wrote several lines into has as many."""
    return [
        line.start_s
        for line in lines_of(Analysis("", {}, response, edits=edits))
        if line.text
        for _each in line.text.split("\n")
    ]


def matches_in(said: str, starts: Sequence[float]) -> list[Match]:
    """Returns the lines of a text that have marks in them."""
    return [
        Match(starts[place] if place < len(starts) else 0.0, line)
        for place, line in enumerate(said.split("\n"))
        if MARK_START in line
    ]


def telling(matches: Sequence[Match], most: int) -> tuple[Match, ...]:
    """Returns the lines with the most different words that were searched for, in order of time:
    of a search for "the budget", few want to read every "the"."""

    def words(place: int) -> int:
        return len({hit.casefold() for hit in _HIT.findall(matches[place].text)})

    best = sorted(range(len(matches)), key=lambda place: (-words(place), place))[:most]
    return tuple(matches[place] for place in sorted(best))
