"""Finds speech without text: compares a decoder's words with the regions of speech."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from echostream.domain import SAMPLE_RATE_HZ, SPEECH_WITHOUT_TEXT, Caution
from echostream.engine.vad import Region

LEAST_UNREAD_S = 0.6
"""Shorter gaps are breaths, laughter or errors in the times of words."""
_MARGIN_S = 0.3
"""The usual error in the times of words."""
_WORD_S, _LETTER_S = 0.6, 0.1
"""A word lasts at most this long, plus a time for each letter. Alignment stretches the last word
before speech that has no text."""
_JOIN_S = 0.4
"""Uncovered speech on both sides of a shorter pause is one stretch."""

_LONGEST_S = 25.0
"""A stretch must fit into one window."""

Said = tuple[float, float, str]
"""Start and end of a word, in seconds, and its text."""


def unread(
    speech: Iterable[Region], words: Iterable[Said], least_s: float = LEAST_UNREAD_S
) -> list[Region]:
    """Stretches with at least `least_s` of speech that no word covers, in order. Because words have
    margins, such a stretch is actually about half a second longer."""
    covered = _united(map(_covered, words))
    stretches: list[list[Region]] = []
    for region in speech:
        for piece in _without(region, covered):
            if stretches and _goes_on(stretches[-1], piece):
                stretches[-1].append(piece)
            else:
                stretches.append([piece])
    return [
        Region(pieces[0].start, pieces[-1].end)
        for pieces in stretches
        if sum(piece.length for piece in pieces) >= least_s * SAMPLE_RATE_HZ
    ]


def speech_without_text(region: Region) -> Caution:
    """The caution about speech that stays without text."""
    start_s, end_s = region.start / SAMPLE_RATE_HZ, region.end / SAMPLE_RATE_HZ
    return Caution(
        SPEECH_WITHOUT_TEXT,
        f"Somebody seems to speak from {start_s:.1f} s to {end_s:.1f} s,"
        " but no words could be made out.",
        round(start_s, 3),
        round(end_s, 3),
    )


def _goes_on(stretch: list[Region], piece: Region) -> bool:
    is_near = piece.start - stretch[-1].end <= _JOIN_S * SAMPLE_RATE_HZ
    return is_near and piece.end - stretch[0].start <= _LONGEST_S * SAMPLE_RATE_HZ


def _covered(word: Said) -> Region:
    start_s, end_s, text = word
    end_s = min(end_s, start_s + _WORD_S + _LETTER_S * len(text))
    return Region(
        round((start_s - _MARGIN_S) * SAMPLE_RATE_HZ), round((end_s + _MARGIN_S) * SAMPLE_RATE_HZ)
    )


def _united(regions: Iterable[Region]) -> list[Region]:
    """The same samples as regions in order that do not touch."""
    united: list[Region] = []
    for region in sorted(regions, key=lambda region: region.start):
        if united and region.start <= united[-1].end:
            united[-1] = Region(united[-1].start, max(united[-1].end, region.end))
        else:
            united.append(region)
    return united


def _without(region: Region, covered: Sequence[Region]) -> Iterator[Region]:
    """The parts of a region outside all of `covered`, which are in order and do not touch."""
    start = region.start
    for number in range(bisect_right(covered, start, key=lambda each: each.end), len(covered)):
        each = covered[number]
        if each.start >= region.end:
            break
        if each.start > start:
            yield Region(start, each.start)
        start = each.end
    if start < region.end:
        yield Region(start, region.end)
