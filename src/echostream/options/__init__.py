"""The options of a request, defined only here.

REST's forms and JSON, jobs, `start_audio`, `/v1`, the web frontend and the OpenAPI document use
these models; a test checks that the command line matches. A field that is added here works in all
of them, under its name in camelCase (under `/v1` unchanged).
"""

from echostream.options.dates import RecordedAt
from echostream.options.requests import (
    MOST_CHARS,
    FinalizeOptions,
    InsightsModel,
    JobData,
    LiveOptions,
    MaxCueLines,
    MaxCueSeconds,
    MaxLineChars,
    Options,
    RecordingOptions,
    UploadOptions,
    validated,
)
from echostream.options.speakers import OF_SPEAKERS, SpeakerName
from echostream.options.speech import Language
from echostream.options.templates import ChosenTemplate

__all__ = [
    "MOST_CHARS",
    "OF_SPEAKERS",
    "ChosenTemplate",
    "FinalizeOptions",
    "InsightsModel",
    "JobData",
    "Language",
    "LiveOptions",
    "MaxCueLines",
    "MaxCueSeconds",
    "MaxLineChars",
    "Options",
    "RecordedAt",
    "RecordingOptions",
    "SpeakerName",
    "UploadOptions",
    "validated",
]
