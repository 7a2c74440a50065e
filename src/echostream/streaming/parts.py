"""Transcripts of parts of a session's audio, put together."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from echostream.domain import SAMPLE_RATE_HZ, SPEECH_WITHOUT_TEXT, Caution, Segment, Transcript
from echostream.engine import Report
from echostream.engine.coverage import speech_without_text
from echostream.engine.segments import down, in_sequence
from echostream.engine.vad import Region


def whole(parts: Sequence[Transcript]) -> Transcript:
    """One or more parts that follow each other, as one transcript."""
    if len(parts) == 1:
        return parts[0]
    spoken = Report()
    for part in parts:
        for segment in part.segments:
            spoken.spoken(segment.language or part.language, segment.end_s - segment.start_s)
    return replace(
        parts[-1],
        segments=tuple(in_sequence([part.segments for part in parts])),
        language=spoken.language,
        languages=spoken.languages,
        warnings=tuple(chain.from_iterable(part.warnings for part in parts)),
    )


def moved(part: Transcript, by_s: float) -> Transcript:
    """The transcript of audio that begins so long after the session."""
    return replace(
        part,
        segments=tuple(_moved_segment(segment, by_s) for segment in part.segments),
        duration_s=part.duration_s + by_s,
        warnings=tuple(moved_caution(caution, by_s) for caution in part.warnings),
    )


def moved_caution(caution: Caution, by_s: float) -> Caution:
    """A caution about audio that begins so long after the session."""
    if caution.start_s is None or caution.end_s is None:
        return caution
    start_s, end_s = caution.start_s + by_s, caution.end_s + by_s
    if caution.code == SPEECH_WITHOUT_TEXT:  # its message tells the times, too
        return speech_without_text(
            Region(round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ))
        )
    return replace(caution, start_s=start_s, end_s=end_s)


def _moved_segment(segment: Segment, by_s: float) -> Segment:
    words = tuple(
        replace(word, start_s=down(word.start_s + by_s), end_s=down(word.end_s + by_s))
        for word in segment.words
    )
    return replace(
        segment,
        start_s=down(segment.start_s + by_s),
        end_s=down(segment.end_s + by_s),
        words=words,
    )
