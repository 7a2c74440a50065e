"""Joins transcripts: of channels that were read separately, and of earlier and new text."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from echostream.domain import Segment, Speaker, Transcript, letters
from echostream.scripts import space_between

_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
_MOST_TEXT_SEGMENTS = 10_000


def merged_channels(channels: Sequence[Transcript]) -> Transcript:
    """The channels of one recording as one transcript in order of time. Each channel is a speaker;
    `A` speaks first. Speech that is in two channels at once is kept twice, one after the other."""
    in_time = sorted(
        (
            replace(segment, channel=number)
            for number, channel in enumerate(channels)
            for segment in channel.segments
        ),
        key=lambda segment: (segment.start_s, segment.channel),
    )
    names = {
        number: letters(place)
        for place, number in enumerate(dict.fromkeys(one.channel for one in in_time))
    }
    segments: list[Segment] = []
    seconds: defaultdict[int, float] = defaultdict(float)
    for segment in in_time:
        seconds[segment.channel or 0] += segment.end_s - segment.start_s
        spaced = not segments or space_between(segments[-1].text, segment.text)
        segments.append(
            replace(
                segment,
                id=len(segments),
                speaker=names[segment.channel],
                space_before=spaced,
            )
        )
    said = sorted(channels, key=lambda one: -sum(s.end_s - s.start_s for s in one.segments))
    return replace(
        said[0],
        segments=tuple(segments),
        duration_s=max(channel.duration_s for channel in channels),
        languages=tuple(dict.fromkeys(chain.from_iterable(one.languages for one in said))),
        warnings=tuple(chain.from_iterable(channel.warnings for channel in channels)),
        speakers=tuple(
            Speaker(name, round(seconds[number or 0], 3), channel=number)
            for number, name in names.items()
        ),
    )


def text_segments(text: str) -> tuple[Segment, ...]:
    """Text without times as segments, one per line or sentence, so that insights can refer to them.

    Joined, they give the same text, apart from the kind of white space. In a very long text short
    sentences share a segment, as an answer says something of each one.
    """
    segments: list[Segment] = []
    end = 0
    text = text.strip()
    least_chars = len(text) // _MOST_TEXT_SEGMENTS
    for match in chain(_SENTENCE.finditer(text), (None,)):
        if match and match.end() - end < least_chars:
            continue
        sentence = " ".join(text[end : match.start() if match else len(text)].split())
        if sentence:
            spaced = end == 0 or text[end - 1].isspace()
            segments.append(Segment(len(segments), 0.0, 0.0, sentence, space_before=spaced))
        end = match.end() if match else len(text)
    return tuple(segments)


def with_text_before(given: str, transcript: Transcript) -> Transcript:
    """The text `given`, followed by the transcript."""
    before = text_segments(given)
    after = [
        replace(segment, id=number)
        for number, segment in enumerate(transcript.segments, start=len(before))
    ]
    if before and after:
        spaced = space_between(before[-1].text, after[0].text)
        after[0] = replace(after[0], space_before=spaced)
    return replace(transcript, segments=(*before, *after))
