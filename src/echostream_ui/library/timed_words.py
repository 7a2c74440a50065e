"""When each word of a line is said, also after the user has edited the line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from echostream_ui.library.transcript import Line
from echostream_ui.library.values import Json


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word of a line: the characters `begin` to `end` of its text. `probability` is how sure the
    engine was of it, 1 for a word that the user wrote."""

    begin: int
    end: int
    start_s: float
    probability: float = 1.0


def timed_words(response: Json, lines: Sequence[Line]) -> dict[int, list[TimedWord]]:
    """Returns the words of the lines, by line. Lines whose words the engine did not time are left
    out."""
    told: Mapping[int, Sequence[Json]] = {
        segment["id"]: segment.get("words") or () for segment in response.get("segments", ())
    }
    return {
        line.id: _as_recognised(line.text, told[line.id]) or list(_as_edited(line, told[line.id]))
        for line in lines
        if told.get(line.id)
    }


def _as_recognised(text: str, words: Sequence[Json]) -> list[TimedWord]:
    """Returns the words where they stand in the text; none if one does not."""
    found = []
    at = 0
    for word in words:
        begin = text.find(word["word"], at)
        if begin < 0:
            return []
        at = begin + len(word["word"])
        found.append(TimedWord(begin, at, word["start"], word.get("probability", 1.0)))
    # Something that was not recognised stands between the words or behind them.
    rest = "".join(word["word"] for word in words)
    return found if len("".join(text.split())) == len("".join(rest.split())) else []


def _as_edited(line: Line, words: Sequence[Json]) -> Iterator[TimedWord]:
    """Yields the words of an edited text. Those that are still the engine's keep their times; the
    others share the time of what they replace."""
    written = list(re.finditer(r"\S+", line.text))
    matcher = SequenceMatcher(
        None,
        [word["word"].casefold() for word in words],
        [each[0].casefold() for each in written],
        autojunk=False,
    )
    for kind, first, last, begin, end in matcher.get_opcodes():
        for place in range(begin, end):
            at = written[place]
            if kind == "equal":
                word = words[first + place - begin]
                start_s, probability = word["start"], word.get("probability", 1.0)
            else:
                from_s = words[first - 1]["end"] if first else line.start_s
                to_s = words[last]["start"] if last < len(words) else line.end_s
                share = (place - begin) / (end - begin)
                start_s, probability = from_s + share * max(0.0, to_s - from_s), 1.0
            yield TimedWord(at.start(), at.end(), start_s, probability)
