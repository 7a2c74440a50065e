"""A recording as a PDF file."""

import re
from collections.abc import Iterator
from pathlib import Path

from fpdf import FPDF

from echostream.domain import Insights, Transcript
from echostream.exports import TextOptions, legible, paragraphs
from echostream_ui.documents.contents import facts, sections
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from echostream_ui.words import wording

_FONTS = Path(__file__).parent / "fonts"
_FAMILY, _MORE = "dejavu", "more"
_MARGIN_MM = 20
_LINE = 1.45
"""Height of a line, in heights of its letters."""
_MM_PER_POINT = 25.4 / 72
_SHAPED = re.compile("[\u0300-\u036f\u0590-\u1cff\ua800-\uabff\ufb1d-\ufeff]")
"""Letters whose form depends on their neighbours: Arabic, Indian and others, and marks."""
_TITLE_PT, _HEADING_PT, _TEXT_PT, _SMALL_PT = 20, 13, 10.5, 9


def to_pdf(
    media: Media,
    analysis: Analysis,
    transcript: Transcript,
    insights: Insights | None,
    timezone: str | None,
    options: TextOptions,
    more_letters: Path | None = None,
) -> bytes:
    """Returns the file: title and facts, insights, and the transcript, with times unless `options`
    say otherwise. `more_letters` is a font for letters that ours lacks; the file says if there
    are letters that neither has. Raises OSError if that font cannot be read."""
    pdf = _Pages(legible(media.title), more_letters)
    pdf.title_and_facts(" · ".join(facts(media, transcript, timezone)), media.tags)
    if insights:
        for section in sections(insights, [item.done for item in analysis.action_items]):
            pdf.heading(section.heading)
            for entry in section.entries:
                pdf.text_block(f"•  {entry}" if section.is_list else entry)
    pdf.heading("Transcript")
    for label, text in _spoken(transcript, options):
        pdf.text_block(text, label)
    if not transcript.segments:
        pdf.text_block("No speech was found in this recording.")
    pdf.say_what_is_missing()
    return pdf.content()


def _spoken(transcript: Transcript, options: TextOptions) -> Iterator[tuple[str, str]]:
    """Yields what stands before each paragraph, and its text."""
    for each in paragraphs(transcript.segments):
        time = wording.clock(each.start_s) if options.times is not False else ""
        name = f"{each.speaker}:" if each.speaker and options.speakers else ""
        yield "  ".join(filter(None, (time, name))), each.text


class _Pages(FPDF):  # type: ignore[misc] # its types are not read
    """A4 pages with a number each. Texts are drawn as they are: nothing in them is markup."""

    def __init__(self, title: str, more_letters: Path | None) -> None:
        super().__init__(format="A4")
        self.set_title(title)
        self.set_author("EchoStream")
        self.set_margin(_MARGIN_MM)
        self.set_auto_page_break(True, _MARGIN_MM)
        if more_letters is not None:  # first: it may be one that cannot be read
            self.add_font(_MORE, "", more_letters)
            self.set_fallback_fonts([_MORE], exact_match=False)
        for style, file in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            self.add_font(_FAMILY, style, _FONTS / file)
        self._known = {letter for font in self.fonts.values() for letter in font.cmap}
        self._missing: set[str] = set()
        self._title = title
        self.add_page()

    def footer(self) -> None:
        """Called by the library for each page."""
        self.set_y(-_MARGIN_MM * 0.75)
        self.set_font(_FAMILY, "", _SMALL_PT)
        self.cell(0, 5, str(self.page_no()), align="C")

    def title_and_facts(self, known: str, tags: tuple[str, ...]) -> None:
        self._write(self._title, "B", _TITLE_PT)
        self._write(known, "", _SMALL_PT)
        if tags:
            self._write(f"Tags: {', '.join(tags)}", "", _SMALL_PT)

    def heading(self, text: str) -> None:
        """Also puts it into the file's outline, by which readers move."""
        self.ln(4)
        self.set_font(_FAMILY, "B", _HEADING_PT)
        self.start_section(self._drawn(text))
        self._write(text, "B", _HEADING_PT)

    def text_block(self, text: str, label: str = "") -> None:
        """A paragraph, with the label in bold above its text."""
        if label:
            self._write(label, "B", _SMALL_PT)
        self._write(text, "", _TEXT_PT)
        self.ln(1.5)

    def say_what_is_missing(self) -> None:
        if self._missing:
            number = wording.count(len(self._missing), "different letter")
            self.heading("Missing letters")
            self.text_block(
                f"This file shows boxes for {number} that its font does not have. The other"
                " formats, such as Word, have the whole text."
            )

    def content(self) -> bytes:
        """The file; nothing can be written to it after this."""
        written = bytes(self.output())
        for font in self.fonts.values():
            font.ttfont.close()  # the library leaves its files open
        return written

    def _write(self, text: str, style: str, size_pt: float) -> None:
        self.set_font(_FAMILY, style, size_pt)
        # Takes four times as long, and most texts need none.
        self.set_text_shaping(_SHAPED.search(text) is not None)
        height_mm = size_pt * _LINE * _MM_PER_POINT
        self.multi_cell(0, height_mm, self._drawn(text), align="L", new_x="LMARGIN", new_y="NEXT")

    def _drawn(self, text: str) -> str:
        """The text without characters that are no text."""
        text = " ".join(legible(text).split())
        self._missing.update(letter for letter in text if ord(letter) not in self._known)
        return text
