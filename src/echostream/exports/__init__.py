"""A transcript as a document: text, subtitles, JSON or Markdown."""

from echostream.exports.cues import CueOptions
from echostream.exports.documents import (
    FORMATS,
    ExportFormat,
    TextOptions,
    export,
    to_json,
    to_markdown,
    to_srt,
    to_txt,
    to_vtt,
)
from echostream.exports.escaping import in_markdown, legible
from echostream.exports.paragraphs import Paragraph, paragraphs

__all__ = [
    "FORMATS",
    "CueOptions",
    "ExportFormat",
    "Paragraph",
    "TextOptions",
    "export",
    "in_markdown",
    "legible",
    "paragraphs",
    "to_json",
    "to_markdown",
    "to_srt",
    "to_txt",
    "to_vtt",
]
