"""What diarization makes of a transcript, whether it succeeds or fails."""

from collections.abc import Collection
from dataclasses import replace

from echostream.diarization.assignment import assigned, speakers
from echostream.diarization.base import Diarization
from echostream.domain import DIARIZATION_FAILED, Caution, KnownVoice, Transcript


def with_speakers(
    transcript: Transcript, found: Diarization, known: Collection[KnownVoice] = ()
) -> Transcript:
    """The transcript with a speaker in each segment where one can be told."""
    segments = assigned(transcript.segments, found.turns)
    names = {each.name for each in known}
    return replace(
        transcript,
        segments=segments,
        speakers=speakers(segments, found.voices or {}, names),
    )


def with_failure(transcript: Transcript, reason: str) -> Transcript:
    """The transcript as it is, and a warning that nobody could be told apart."""
    message = f"The speakers could not be told apart: {reason}."
    return transcript.with_cautions([Caution(DIARIZATION_FAILED, message)])
