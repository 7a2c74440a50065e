"""A transcript in paragraphs: a turn of one speaker each, or a segment if nobody is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from echostream.domain import Segment, joined

_LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Paragraph:
    start_s: float
    text: str
    speaker: str | None = None


def paragraphs(segments: Sequence[Segment]) -> Iterator[Paragraph]:
    """Paragraphs in order of time. A speaker's turn that is longer than a minute has several."""
    spoken = [segment for segment in segments if segment.text.strip()]
    if not any(segment.speaker for segment in spoken):
        for segment in spoken:
            yield Paragraph(segment.start_s, segment.text)
        return
    for speaker, turn in groupby(spoken, key=lambda one: one.speaker):
        for part in _parts(turn):
            yield Paragraph(part[0].start_s, joined(part), speaker)


def _parts(turn: Iterator[Segment]) -> Iterator[list[Segment]]:
    part: list[Segment] = []
    for segment in turn:
        if part and segment.end_s - part[0].start_s > _LONGEST_S:
            yield part
            part = []
        part.append(segment)
    yield part
