"""Writes text so that the readers of a format show it and do nothing else with it.

File names, titles, names of speakers and what was said come from strangers.
"""

import re

_WORD_JOINER = "\N{WORD JOINER}"
"""Takes no room and no ink. What looked like a tag before it no longer is one."""

_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, which terminals obey, halves of characters, which no file can hold, and what
XML does not allow."""
_SEPARATORS = re.compile("[\x0b\x0c\x1c-\x1f\x85]")

_MARKS = re.compile(r"([\\`*_\[\]<>~|${}]|&(?=#?\w+;)|#(?=#*$))")
_BLOCK_START = re.compile(r"^(\d*)([#+\-=.):])")
_TAG = re.compile(r"<(?=\s*[/!]?\s*[^\W\d][^<]*>)|\{")
_ARROW = re.compile(r"-{2,}>")


def legible(text: str) -> str:
    """The text without characters that are no text."""
    return _SEPARATORS.sub(" ", _NO_TEXT.sub("", text))


def one_line(text: str) -> str:
    """The same, with single spaces instead of line breaks."""
    return " ".join(legible(text).split())


def in_markdown(text: str) -> str:
    """One line of Markdown that shows the text: no HTML, links, pictures, code or headings."""
    escaped = _MARKS.sub(r"\\\1", one_line(text))
    return _BLOCK_START.sub(r"\1\\\2", escaped)


def in_vtt(text: str) -> str:
    """WebVTT: `&` and `<` would start an entity or a tag, `-->` another cue."""
    without_arrows = _ARROW.sub("->", text)
    return without_arrows.replace("&", "&amp;").replace("<", "&lt;")


def in_srt(text: str) -> str:
    """SubRip has no way to escape. Players obey tags of HTML and of ASS (`{\\an8}`) unless a
    character stands after the bracket that no tag has."""
    return _TAG.sub(lambda found: found[0] + _WORD_JOINER, _ARROW.sub("->", text))
