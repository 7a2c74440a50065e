"""Exports a recording as text, subtitles, JSON, Markdown, Word or PDF."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from echostream import exports
from echostream.domain import Insights
from echostream_ui.documents.contents import item_line
from echostream_ui.documents.domain import insights_of, transcript_of
from echostream_ui.documents.word import to_docx
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from echostream_ui.library.values import Json
from echostream_ui.words import wording

Format = Literal["txt", "srt", "vtt", "json", "md", "docx", "pdf"]
FORMATS: tuple[Format, ...] = get_args(Format)

LABELS: dict[Format, str] = {
    "txt": "Plain text (.txt)",
    "srt": "Subtitles (.srt)",
    "vtt": "Web subtitles (.vtt)",
    "json": "Data (.json)",
    "md": "Markdown (.md)",
    "docx": "Word document (.docx)",
    "pdf": "PDF (.pdf)",
}
MEDIA_TYPES: dict[Format, str] = {
    "txt": "text/plain",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "json": "application/json",
    "md": "text/markdown",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
}


@dataclass(frozen=True, slots=True)
class Options:
    """How documents are written. Dates are in `timezone`, a name as in `st.context.timezone`;
    `more_letters` is a font for letters that the PDF's own lacks."""

    timezone: str | None = None
    cues: exports.CueOptions = exports.CueOptions()  # noqa: RUF009 - frozen
    text: exports.TextOptions = exports.TextOptions()  # noqa: RUF009 - frozen
    more_letters: Path | None = None


_USUAL = Options()


def export(media: Media, analysis: Analysis, as_format: Format, options: Options = _USUAL) -> bytes:
    """Returns the document, with the user's edits and action items. Raises OSError if the font for
    more letters cannot be read."""
    transcript, insights = transcript_of(analysis), insights_of(analysis, media.title)
    if as_format == "docx":
        return to_docx(media, analysis, transcript, insights, options.timezone, options.text)
    if as_format == "pdf":
        from echostream_ui.documents.pdf import to_pdf  # its library takes long to import

        whole = (media, analysis, transcript, insights, options.timezone, options.text)
        return to_pdf(*whole, options.more_letters)
    if as_format == "json":
        return _json(analysis, exports.to_json(transcript, insights)).encode()
    if as_format == "md":
        done = {place for place, item in enumerate(analysis.action_items) if item.done}
        text = exports.to_markdown(transcript, insights, done=done, options=options.text)
        return (text + _bookmarks_as_markdown(analysis)).encode()
    return exports.export(
        transcript, insights, as_format, cue_options=options.cues, text_options=options.text
    ).encode()


def action_items(analysis: Analysis, insights: Insights) -> str:
    """The action items as plain text, one a line, each with a box that is ticked if it is done."""
    done = [item.done for item in analysis.action_items]
    items = map(item_line, insights.details.action_items, done)
    return "".join(f"{exports.legible(item)}\n" for item in items)


def file_name(media: Media, as_format: Format) -> str:
    """The file's name, such as `Planning, week 12.srt`."""
    return f"{wording.file_name(media.title)}.{as_format}"


def _bookmarks_as_markdown(analysis: Analysis) -> str:
    entries = (
        f"- **{wording.clock(each.at_s)}** {exports.in_markdown(each.note)}".rstrip() + "\n"
        for each in analysis.bookmarks
    )
    return "\n## Bookmarks\n\n" + "".join(entries) if analysis.bookmarks else ""


def _json(analysis: Analysis, text: str) -> str:
    """Adds what the API's format has no field for: bookmarks, and whether an action item is
    done."""
    document: Json = json.loads(text)
    document["bookmarks"] = [{"at": each.at_s, "note": each.note} for each in analysis.bookmarks]
    if document["insights"]:
        found = document["insights"]["details"]["action_items"]
        for shape, item in zip(found, analysis.action_items, strict=True):
            shape["done"] = item.done
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
