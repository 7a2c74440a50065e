"""Documents show the text of strangers; they do not run it."""

import json
import re
import subprocess
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from echostream.domain import (
    ActionItem,
    Details,
    Insights,
    InsightsMeta,
    Point,
    Section,
    Segment,
    Sentiment,
    Transcript,
)
from echostream.exports import ExportFormat, export, to_markdown
from echostream.exports.cues import cues
from echostream.exports.escaping import one_line
from echostream.media.ffmpeg import ffmpeg_path

RUDE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "< b >bold</ b >",
    "<font color=red>red</font>",
    "<!-- hidden",
    "[a bank](https://evil.example)",
    "![](https://evil.example/pixel.png)",
    "<https://evil.example>",
    "[a]: javascript:alert(1)",
    "![[file]]",
    "`code` ``` ~~~",
    "*a* **b** _c_ __d__ ~~e~~ snake_case",
    "\\<b>",
    "&lt;script&gt; &#60; &copy AT&T",
    "# heading #",
    "C#",
    "- item",
    "+ item",
    "1. item",
    "12) item",
    "> quote",
    "***",
    "---",
    "===",
    "- [x] done",
    "a | b",
    "$x$ ${x} {{x}} {% x %}",
    "{\\an8}{\\b1}high",
    "{b}{Y:i}",
    "one\n\n<script>\n\nthree",
    "a\r\n\r\n99\r\n00:00:00,000 --> 00:00:09,000\r\nfalse",
    "a --> b ---> c ----> d",
    "a\u2028b\u2029c\x0bd\x85e",
    "\x1b]0;title\x07 and \x9b31m",
    "nul \x00 and half \ud800",
    "Ann <3",
]
texts = st.one_of(
    st.sampled_from(RUDE),
    st.text(st.sampled_from("<>[]()!*_`~#\\&;:=+-{}|$ab1. \n\t\r"), max_size=30),
    st.text(st.characters(), max_size=30),
)


def transcript(*said: tuple[str | None, str]) -> Transcript:
    segments = tuple(
        Segment(number, number * 2.0, number * 2.0 + 1.5, text, speaker=speaker)
        for number, (speaker, text) in enumerate(said)
    )
    return Transcript(segments, "en", len(said) * 2.0, "whisper", "base")


def insights(text: str) -> Insights:
    """The same text wherever one can be."""
    points = (Point(text, ()),)
    details = Details(
        title=text,
        key_points=points,
        decisions=points,
        questions=points,
        action_items=(ActionItem(text, text, text, ()),),
        sentiment_timeline=(),
        meta=InsightsMeta("extractive", None, 1.0),
        sections=(Section("a", text, points),),
    )
    return Insights(text, (text, "two"), Sentiment("neutral", 0.0), details)


def rendered(document: str) -> tuple[set[str], list[str]]:
    """The kinds of parts that a reader finds in it, and what one reads in each block."""
    blocks = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(document)
    lines: list[Sequence[Token]] = [block.children or () for block in blocks]
    kinds = {part.type for part in chain(blocks, *lines)}
    return kinds, ["".join(part.content for part in line) for line in lines if line]


WHAT_WE_WRITE = {
    *("text", "text_special", "inline", "strong_open", "strong_close"),
    *("heading_open", "heading_close", "paragraph_open", "paragraph_close"),
    *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
}


def shows_it_in_markdown(text: str) -> None:
    document = to_markdown(transcript((text, text), (None, text)), insights(text))
    kinds, read = rendered(document)
    assert kinds <= WHAT_WE_WRITE
    if one_line(text):
        assert one_line(f"00:00:00 {one_line(text)}: {text}") in read
        assert one_line(f"00:00:02 {text}") in read
        assert one_line(f"[ ] {text} ({text}, {text})") in read
        assert one_line(f"{text}, two") in read
        assert read.count(one_line(text)) == 7  # title, summary, lists, and a section


@pytest.mark.parametrize("text", RUDE)
def test_markdown_shows_what_readers_would_run(text: str) -> None:
    shows_it_in_markdown(text)


@given(texts)
def test_markdown_shows_any_text(text: str) -> None:
    shows_it_in_markdown(text)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_subtitles_are_our_cues_and_no_others(said: list[tuple[str, str]]) -> None:
    talk = transcript(*said)
    of_srt = re.findall(
        r"(\d+)\n[\d:,]{12} --> [\d:,]{12}\n(.+)\n(.+\n)?(?:\n|$)", export(talk, None, "srt")
    )
    expected = cues(talk.segments, duration_s=talk.duration_s, with_names=True)
    assert [int(number) for number, *_lines in of_srt] == list(range(1, len(expected) + 1))
    assert not any(
        re.search(r"-->|<\s*[/!]?\s*[^\W\d][^<]*>|\{\S(?<!\u2060)", "".join(cue)) for cue in of_srt
    )
    of_vtt = export(talk, None, "vtt").removeprefix("WEBVTT\n")
    assert re.fullmatch(
        r"(\n[\d:.]{12} --> [\d:.]{12}\n(<v [^<>]+>)?((?!.*-->)[^<\n]+\n){1,2})*", of_vtt
    )


def test_a_player_finds_no_tags_in_subtitles(tmp_path: Path) -> None:
    """FFmpeg reads SubRip as players do, and writes the tags that it found."""
    file = tmp_path / "rude.srt"
    file.write_text(export(transcript(*((None, text) for text in RUDE)), None, "srt"))
    command = [ffmpeg_path(), "-v", "error", "-i", str(file), "-f", "webvtt", "-"]
    read = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for text in RUDE:
        shown = re.sub("-{2,}>", "->", one_line(text))
        assert all(word in read.replace("\u2060", "").split() for word in shown.split())


@pytest.mark.parametrize("as_format", ["txt", "srt", "vtt", "md"])
@given(text=texts)
def test_a_terminal_is_told_nothing(as_format: ExportFormat, text: str) -> None:
    document = export(transcript((text, text)), insights(text), as_format)
    document.encode()
    assert not re.search(r"[^\n -~\xa0-\U0010ffff]", document)


@given(texts)
def test_json_has_the_text_as_it_was(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    document = json.loads(export(transcript((text, text)), insights(text), "json"))
    assert document["segments"][0]["text"] == text
    assert document["insights"]["summary"] == text
