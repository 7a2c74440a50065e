"""A transcript as a document: text, subtitles, JSON or Markdown."""

from echostream.exports.cues import CueOptions
from echostream.exports.documents import (
    FORMATS,
    ExportFormat,
    export,
    to_json,
    to_markdown,
    to_srt,
    to_txt,
    to_vtt,
)

__all__ = [
    "FORMATS",
    "CueOptions",
    "ExportFormat",
    "export",
    "to_json",
    "to_markdown",
    "to_srt",
    "to_txt",
    "to_vtt",
]
