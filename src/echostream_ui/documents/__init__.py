"""Exports a recording as text, subtitles, JSON, Markdown or Word."""

import json
from typing import Literal, get_args

from echostream import exports
from echostream_ui.documents.domain import insights_of, transcript_of
from echostream_ui.documents.word import to_docx
from echostream_ui.library.store import Analysis, Json, Media
from echostream_ui.words import wording

Format = Literal["txt", "srt", "vtt", "json", "md", "docx"]
FORMATS: tuple[Format, ...] = get_args(Format)

LABELS: dict[Format, str] = {
    "txt": "Plain text (.txt)",
    "srt": "Subtitles (.srt)",
    "vtt": "Web subtitles (.vtt)",
    "json": "Data (.json)",
    "md": "Markdown (.md)",
    "docx": "Word document (.docx)",
}
MEDIA_TYPES: dict[Format, str] = {
    "txt": "text/plain",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "json": "application/json",
    "md": "text/markdown",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


def export(
    media: Media,
    analysis: Analysis,
    as_format: Format,
    timezone: str | None = None,
    cue_options: exports.CueOptions = exports.CueOptions(),  # noqa: B008 - frozen
) -> bytes:
    """Returns the document, with the user's edits and action items. Its dates are in `timezone`, a
    name as in `st.context.timezone`; `cue_options` apply to subtitles."""
    transcript, insights = transcript_of(analysis), insights_of(analysis, media.title)
    if as_format == "docx":
        return to_docx(media, analysis, transcript, insights, timezone)
    if as_format == "json":
        return _json(analysis, exports.to_json(transcript, insights)).encode()
    if as_format == "md":
        done = {place for place, item in enumerate(analysis.action_items) if item.done}
        text = exports.to_markdown(transcript, insights, done=done)
        return (text + _bookmarks_as_markdown(analysis)).encode()
    return exports.export(transcript, insights, as_format, cue_options=cue_options).encode()


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
