"""Whose words are whose.

A word is said by whoever speaks for most of it. Turns and words are each off by some tenths of a
second, so one short word is no reason to cut a sentence: a segment is only cut where the words on
both sides are long enough to be sure of.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise

from echostream.domain import Segment, Speaker, Turn, Voice, Word, joined

_NEAR_S = 0.5
"""How far a turn may be from a word that no turn overlaps."""
_NEIGHBOUR_S = 1.0
"""How far a word may be from another whose speaker it takes."""
_SURE_S = 0.8
"""Words of one speaker in a row that last as long are not a mistake."""
_AS_LONG = 0.9
"""Of two speakers at once, the one of the word before stays if they speak for this share."""
_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")


def assigned(segments: Sequence[Segment], turns: Sequence[Turn]) -> tuple[Segment, ...]:
    """The same words in segments of one speaker each, numbered from 0. A speaker is None where
    nobody can be told."""
    timeline = _Timeline(turns)
    parts = (part for segment in segments for part in _of_one_speaker(segment, timeline))
    return tuple(replace(part, id=number) for number, part in enumerate(parts))


def speakers(
    segments: Iterable[Segment], voices: Mapping[str, Voice], known: Collection[str] = ()
) -> tuple[Speaker, ...]:
    """The speakers of some segments in order of first speech. `known` are the names of those whose
    voices were known before."""
    found: dict[str, Speaker] = {}
    for segment in segments:
        if (name := segment.speaker) is None:
            continue
        speaker = found.get(name) or Speaker(
            name,
            0.0,
            name if name in known else None,
            segment.channel,
            voices.get(name),
        )
        seconds = speaker.seconds + max(0.0, segment.end_s - segment.start_s)
        found[name] = replace(speaker, seconds=round(seconds, 3))
    return tuple(found.values())


class _Timeline:
    """Finds the turns at some time without looking at all of them."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.start_s)
        self._starts = [turn.start_s for turn in self._turns]
        self._latest_ends = list(accumulate((turn.end_s for turn in self._turns), max))

    def speaker(self, start_s: float, end_s: float, before: str | None) -> str | None:
        """Who speaks for most of this time; `before` is who spoke before it."""
        shares: dict[str, float] = {}
        for turn in self._near(start_s, end_s):
            # Negative: the distance to a turn that does not overlap.
            share = min(end_s, turn.end_s) - max(start_s, turn.start_s)
            shares[turn.speaker] = _together(shares.get(turn.speaker), share)
        if not shares:
            return None
        best = max(shares, key=lambda speaker: shares[speaker])
        if before is not None and 0 < shares[best] * _AS_LONG <= shares.get(before, 0.0):
            return before
        return best

    def _near(self, start_s: float, end_s: float) -> Iterator[Turn]:
        place = bisect_left(self._starts, end_s + _NEAR_S)
        while place and self._latest_ends[place - 1] > start_s - _NEAR_S:
            place -= 1
            if self._turns[place].end_s > start_s - _NEAR_S:
                yield self._turns[place]


def _together(one: float | None, other: float) -> float:
    """Overlaps with turns of one speaker add up; of distances the shortest counts."""
    if one is None:
        return other
    return one + other if min(one, other) > 0 else max(one, other)


@dataclass(slots=True)
class _Run:
    """Words of one speaker in a row."""

    words: list[Word]
    speaker: str | None

    @property
    def seconds(self) -> float:
        return self.words[-1].end_s - self.words[0].start_s


def _of_one_speaker(segment: Segment, timeline: _Timeline) -> Iterator[Segment]:
    if not segment.words:
        yield replace(segment, speaker=timeline.speaker(segment.start_s, segment.end_s, None))
        return
    runs = _at_sentence_ends(_sure(_runs(segment.words, timeline)))
    if len(runs) == 1:
        yield replace(segment, speaker=runs[0].speaker)
        return
    for number, run in enumerate(runs):
        first, last = number == 0, number == len(runs) - 1
        yield replace(
            segment,
            start_s=segment.start_s if first else run.words[0].start_s,
            end_s=segment.end_s if last else run.words[-1].end_s,
            text=joined(run.words),
            words=tuple(run.words),
            space_before=segment.space_before if first else run.words[0].space_before,
            speaker=run.speaker,
            tokens=(),  # Whisper's are of the whole segment
        )


def _runs(words: Sequence[Word], timeline: _Timeline) -> list[_Run]:
    said: list[str | None] = []
    for word in words:
        before = said[-1] if said else None
        said.append(timeline.speaker(word.start_s, word.end_s, before))
    said = _from_neighbours(words, said)
    pairs = zip(words, said, strict=True)
    return [
        _Run([word for word, _ in group], speaker)
        for speaker, group in groupby(pairs, key=lambda pair: pair[1])
    ]


def _from_neighbours(words: Sequence[Word], said: Sequence[str | None]) -> list[str | None]:
    """Gives words without a speaker that of the word before or, failing that, after them."""
    filled = list(said)
    for place in range(1, len(words)):
        if filled[place] is None and _is_close(words[place - 1], words[place]):
            filled[place] = filled[place - 1]
    for place in range(len(words) - 2, -1, -1):
        if filled[place] is None and _is_close(words[place], words[place + 1]):
            filled[place] = filled[place + 1]
    return filled


def _is_close(one: Word, other: Word) -> bool:
    return other.start_s - one.end_s <= _NEIGHBOUR_S


def _sure(runs: list[_Run]) -> list[_Run]:
    """Joins runs that are too short to be sure of to the longer of their neighbours, the shortest
    first."""
    while len(runs) > 1:
        place = min(range(len(runs)), key=lambda each: runs[each].seconds)
        if runs[place].seconds >= _SURE_S:
            break
        neighbours = [each for each in (place - 1, place + 1) if 0 <= each < len(runs)]
        runs[place].speaker = runs[max(neighbours, key=lambda each: runs[each].seconds)].speaker
        runs = [
            _Run([word for run in group for word in run.words], speaker)
            for speaker, group in groupby(runs, key=lambda run: run.speaker)
        ]
    return runs


def _at_sentence_ends(runs: list[_Run]) -> list[_Run]:
    """Moves a cut by one word where that is the end of a sentence."""
    for one, other in pairwise(runs):
        if _ends_sentence(one.words[-1]):
            continue
        if len(other.words) > 1 and _ends_sentence(other.words[0]):
            one.words.append(other.words.pop(0))
        elif len(one.words) > 1 and _ends_sentence(one.words[-2]):
            other.words.insert(0, one.words.pop())
    return runs


def _ends_sentence(word: Word) -> bool:
    return word.text.rstrip("\"'”’»)").endswith(_SENTENCE_ENDS)
