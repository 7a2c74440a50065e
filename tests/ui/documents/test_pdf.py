"""A recording as a PDF file, read back by another library."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from conftest import ROOT
from echostream.exports import TextOptions
from echostream_ui import documents
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from ui.documents.test_documents import ANALYSIS, INSIGHTS, MEDIA, RESPONSE

FONTS = ROOT / "src" / "echostream_ui" / "documents" / "fonts"
SPOKEN = [each | {"speaker": "S1"} for each in RESPONSE["segments"]]
NAMED = replace(ANALYSIS, response=RESPONSE | {"segments": SPOKEN}, speakers={"S1": "Ann"})


USUAL = documents.Options()


def read(analysis: Analysis, media: Media = MEDIA, options: documents.Options = USUAL) -> PdfReader:
    return PdfReader(io.BytesIO(documents.export(media, analysis, "pdf", options)))


def text_of(found: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in found.pages).split())


def test_it_has_title_facts_insights_and_transcript() -> None:
    found = read(NAMED, options=documents.Options("Europe/Berlin"))
    text = text_of(found)
    assert text.startswith(f"{MEDIA.title} 3 March 2026, 15:05 · 1 min 1 s · English Tags: work")
    assert "Action items • ☑ Ship it (Ann, Friday, 2026-11-27) • ☐ Rest" in text
    assert "Transcript 0:00 Ann: we will ship it on Friday" in text
    assert found.metadata is not None
    assert found.metadata.title == MEDIA.title
    assert "Transcript" in [each.title for each in found.outline]  # type: ignore[union-attr]
    assert "Missing letters" not in text


def test_times_and_names_may_be_left_out() -> None:
    text = text_of(read(NAMED, options=documents.Options(text=TextOptions(False, False))))
    assert "Transcript we will ship it on Friday" in text


def test_a_long_transcript_has_several_pages() -> None:
    segments = [
        {"id": n, "start": n * 5.0, "end": n * 5.0 + 4, "text": f"Sentence {n} is said here."}
        for n in range(120)
    ]
    found = read(replace(ANALYSIS, response=RESPONSE | {"segments": segments}, edits={}))
    assert len(found.pages) > 2
    assert "Sentence 119 is said here." in text_of(found)


@pytest.mark.parametrize(
    "text",
    ["Größe „98 %“, œuvre, Żółć", "Ελληνικά", "Привет, світе", "שלום", "Հայերեն", "Tiếng Việt"],
)
def test_its_font_has_the_letters(text: str) -> None:
    assert "Missing letters" not in text_of(read(replace(ANALYSIS, edits={0: text})))


def letter_forms(text: str) -> int:
    """How many drawn letters the fonts of the file have."""
    fonts = read(replace(ANALYSIS, edits={0: text})).pages[0]["/Resources"]["/Font"]
    files = [
        font["/DescendantFonts"][0]["/FontDescriptor"]["/FontFile2"].get_data()
        for font in (each.get_object() for each in fonts.values())
    ]
    return sum(TTFont(io.BytesIO(file))["maxp"].numGlyphs for file in files)


def test_arabic_letters_are_joined() -> None:
    """One letter has a form for each place in a word."""
    assert letter_forms("ببب") > letter_forms("ب")


def test_it_says_that_letters_are_missing() -> None:
    text = text_of(read(replace(ANALYSIS, edits={0: "日本語 日本 🎙"})))
    assert "This file shows boxes for 4 different letters" in text


def test_another_font_has_more_letters(tmp_path: Path) -> None:
    """Ours with another name for its letter A: a font for Chinese letters has 16 MB."""
    file = tmp_path / "more.ttf"
    font = TTFont(FONTS / "DejaVuSans.ttf")
    for table in font["cmap"].tables:
        table.cmap = {ord("日"): "A"}
    font.save(file)
    analysis = replace(ANALYSIS, edits={0: "so 日"})
    assert "Missing letters" in text_of(read(analysis))
    text = text_of(read(analysis, options=documents.Options(more_letters=file)))
    assert "Missing letters" not in text
    assert "so 日" in text


def test_a_font_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OSError, match="nowhere"):
        read(ANALYSIS, options=documents.Options(more_letters=Path("nowhere.ttf")))


RUDE = "**b** [l](http://x.test) /JS (app.alert(1)) endstream"


@settings(max_examples=8, deadline=None)
@given(st.text(st.characters() | st.sampled_from("()<>\\*_&\0\x0c\ud800\ufffe")))
@example("")
def test_any_text_is_only_text(text: str) -> None:
    """Nothing that a reader would run, open or follow, and no file that cannot be read."""
    rude = f"{RUDE} {text}"
    analysis = replace(
        NAMED,
        insights=INSIGHTS | {"summary": rude, "topics": [rude]},
        edits={0: rude},
        speakers={"S1": rude},
    )
    found = read(analysis, replace(MEDIA, title=rude, tags=(rude,)))
    assert text or text_of(found).count(RUDE) >= 5
    root = found.trailer["/Root"]
    assert not {"/AA", "/Names", "/AcroForm"} & root.keys()
    assert isinstance(root["/OpenAction"], list)  # a place in the file, and nothing to be run
    assert all("/Annots" not in page for page in found.pages)
