"""A recording as a Word document."""

import io
from collections.abc import Sequence

from docx import Document
from docx.document import Document as DocumentType
from docx.shared import Pt

from echostream.domain import ActionItem, Insights, Transcript
from echostream.exports import legible, paragraphs
from echostream_ui.library.store import Analysis, Media
from echostream_ui.words import wording
from echostream_ui.words.languages import language_name

_LONGEST_PROPERTY = 255


def to_docx(
    media: Media,
    analysis: Analysis,
    transcript: Transcript,
    insights: Insights | None,
    timezone: str | None,
) -> bytes:
    """Returns the document: title and facts, insights, and the transcript with times."""
    document = Document()
    document.core_properties.title = legible(media.title)[:_LONGEST_PROPERTY]
    document.core_properties.author = "EchoStream"
    document.add_heading(legible(media.title), level=0)
    document.add_paragraph(legible(" · ".join(_facts(media, transcript, timezone))))
    if media.tags:
        document.add_paragraph(legible(f"Tags: {', '.join(media.tags)}"))
    if insights:
        _add_insights(document, insights, [item.done for item in analysis.action_items])
    if analysis.bookmarks:
        document.add_heading("Bookmarks", level=1)
    for bookmark in analysis.bookmarks:
        text = legible(f"{wording.clock(bookmark.at_s)}  {bookmark.note}".rstrip())
        document.add_paragraph(text, style="List Bullet")
    document.add_heading("Transcript", level=1)
    for each in paragraphs(transcript.segments):
        paragraph = document.add_paragraph()
        paragraph.paragraph_format.space_after = Pt(4)
        paragraph.add_run(f"{wording.clock(each.start_s)}  ").bold = True
        if each.speaker:
            paragraph.add_run(legible(f"{each.speaker}: ")).bold = True
        paragraph.add_run(legible(each.text))
    if not transcript.segments:
        document.add_paragraph("No speech was found in this recording.")
    with io.BytesIO() as file:
        document.save(file)
        return file.getvalue()


def _facts(media: Media, transcript: Transcript, timezone: str | None) -> list[str]:
    facts = [wording.day_and_time(media.created_at, timezone)]
    if media.duration_s is not None:
        facts.append(wording.duration(media.duration_s))
    if transcript.language:
        facts.append(language_name(transcript.language))
    return facts


def _add_insights(document: DocumentType, insights: Insights, done: Sequence[bool]) -> None:
    """`done` says of each action item whether it is ticked off."""
    details = insights.details
    if insights.summary:
        document.add_heading("Summary", level=1)
        document.add_paragraph(legible(insights.summary))
    if insights.topics:
        document.add_heading("Topics", level=1)
        document.add_paragraph(legible(", ".join(insights.topics)))
    for heading, entries in (
        ("Key points", [point.text for point in details.key_points]),
        ("Decisions", [point.text for point in details.decisions]),
        ("Action items", list(map(_item, details.action_items, done))),
        ("Questions", [point.text for point in details.questions]),
        *((each.title, [point.text for point in each.items]) for each in details.sections),
    ):
        if entries:
            document.add_heading(legible(heading), level=1)
        for entry in entries:
            document.add_paragraph(legible(entry), style="List Bullet")
    document.add_heading("Sentiment", level=1)
    document.add_paragraph(wording.SENTIMENT_WORDS[insights.sentiment.label])


def _item(item: ActionItem, done: bool) -> str:
    known = ", ".join(str(part) for part in (item.owner, item.due, item.due_date) if part)
    return f"{'☑' if done else '☐'} {item.text}{f' ({known})' if known else ''}"
