"""The types that all rooms share. Frozen, no third-party types, times in seconds.

What callers may ask for is beside what they get: `TranscribeOptions` with the transcript,
`InsightsOptions` with insights, and so on.
"""

from echostream.domain.audio import SAMPLE_RATE_HZ, AudioOptions
from echostream.domain.insights import (
    AS_USUAL,
    ActionItem,
    Details,
    Insights,
    InsightsMeta,
    InsightsOptions,
    Point,
    Section,
    Sentiment,
    SentimentAt,
    SentimentLabel,
    Template,
    TemplateSection,
    Tokens,
)
from echostream.domain.progress import Progress, Stage, Step
from echostream.domain.speakers import KnownVoice, Speaker, SpeakerOptions, Turn, Voice, letters
from echostream.domain.transcript import (
    DIARIZATION_FAILED,
    FINAL_PASS_FAILED,
    SPEECH_WITHOUT_TEXT,
    Caution,
    Segment,
    Task,
    TranscribeOptions,
    Transcript,
    Word,
    joined,
)

__all__ = [
    "AS_USUAL",
    "DIARIZATION_FAILED",
    "FINAL_PASS_FAILED",
    "SAMPLE_RATE_HZ",
    "SPEECH_WITHOUT_TEXT",
    "ActionItem",
    "AudioOptions",
    "Caution",
    "Details",
    "Insights",
    "InsightsMeta",
    "InsightsOptions",
    "KnownVoice",
    "Point",
    "Progress",
    "Section",
    "Segment",
    "Sentiment",
    "SentimentAt",
    "SentimentLabel",
    "Speaker",
    "SpeakerOptions",
    "Stage",
    "Step",
    "Task",
    "Template",
    "TemplateSection",
    "Tokens",
    "TranscribeOptions",
    "Transcript",
    "Turn",
    "Voice",
    "Word",
    "joined",
    "letters",
]
