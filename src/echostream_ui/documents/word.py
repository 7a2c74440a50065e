"""A recording as a Word document."""

import io

from docx import Document
from docx.document import Document as DocumentType
from docx.shared import Pt

from echostream.domain import Insights, Transcript
from echostream.exports import Paragraph, TextOptions, legible, paragraphs
from echostream_ui.documents.contents import Section, facts, sections
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from echostream_ui.words import wording

_LONGEST_PROPERTY = 255


def to_docx(
    media: Media,
    analysis: Analysis,
    transcript: Transcript,
    insights: Insights | None,
    timezone: str | None,
    options: TextOptions,
) -> bytes:
    """Returns the document: title and facts, insights, and the transcript, with times unless
    `options` say otherwise."""
    document = Document()
    document.core_properties.title = legible(media.title)[:_LONGEST_PROPERTY]
    document.core_properties.author = "EchoStream"
    document.add_heading(legible(media.title), level=0)
    document.add_paragraph(legible(" · ".join(facts(media, transcript, timezone))))
    if media.tags:
        document.add_paragraph(legible(f"Tags: {', '.join(media.tags)}"))
    if insights:
        for section in sections(insights, [item.done for item in analysis.action_items]):
            _add_section(document, section)
    if analysis.bookmarks:
        document.add_heading("Bookmarks", level=1)
    for bookmark in analysis.bookmarks:
        text = legible(f"{wording.clock(bookmark.at_s)}  {bookmark.note}".rstrip())
        document.add_paragraph(text, style="List Bullet")
    document.add_heading("Transcript", level=1)
    for each in paragraphs(transcript.segments):
        _add_paragraph(document, each, options)
    if not transcript.segments:
        document.add_paragraph("No speech was found in this recording.")
    with io.BytesIO() as file:
        document.save(file)
        return file.getvalue()


def _add_section(document: DocumentType, section: Section) -> None:
    document.add_heading(legible(section.heading), level=1)
    for entry in section.entries:
        document.add_paragraph(legible(entry), style="List Bullet" if section.is_list else None)


def _add_paragraph(document: DocumentType, each: Paragraph, options: TextOptions) -> None:
    paragraph = document.add_paragraph()
    paragraph.paragraph_format.space_after = Pt(4)
    if options.times is not False:
        paragraph.add_run(f"{wording.clock(each.start_s)}  ").bold = True
    if each.speaker and options.speakers:
        paragraph.add_run(legible(f"{each.speaker}: ")).bold = True
    paragraph.add_run(legible(each.text))
