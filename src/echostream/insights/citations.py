"""The marks in an answer that say which segments bear it out."""

import re
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

Source = TypeVar("Source", bound=Hashable)

_CITED = re.compile(r"\s*\[(\d{1,9}(?:\s*[,;]\s*\d{1,9})*)\]")
_BEGUN = re.compile(r"\s{0,100}(?:\[[\d,;\s]{0,100})?$")
"""What may be the beginning of `_CITED` at the end of a text."""


class Citations(Generic[Source]):
    """Numbers what a model cites, while its answer arrives in pieces.

    The model cites the lines it was shown, as `[12]` or `[3, 7]`. In the text that clients see,
    `[1]` is the source of the first cited line, `[2]` the second source, and so on. Numbers of
    lines that the model was not shown are dropped.
    """

    def __init__(self, shown: Sequence[Source]) -> None:
        """`shown` are the sources of the lines that the model was shown, which count from 1."""
        self._shown = shown
        self._marks: dict[Source, int] = {}
        self._held = ""

    @property
    def cited(self) -> tuple[Source, ...]:
        """The sources that were cited, in the order of their marks."""
        return tuple(self._marks)

    def feed(self, piece: str) -> str:
        """The text that is certain after one more piece; a mark may still be incomplete."""
        text = self._held + piece
        begun = _BEGUN.search(text)
        end = begun.start() if begun else len(text)
        self._held = text[end:]
        return _CITED.sub(self._marked, text[:end])

    def end(self) -> str:
        """The rest of the text."""
        text, self._held = self._held, ""
        return _CITED.sub(self._marked, text).rstrip()

    def _marked(self, cited: re.Match[str]) -> str:
        lines = [int(number) for number in re.findall(r"\d+", cited[1])]
        known = [self._shown[line - 1] for line in lines if 1 <= line <= len(self._shown)]
        marks = [self._marks.setdefault(source, len(self._marks) + 1) for source in known]
        return f" {''.join(f'[{mark}]' for mark in dict.fromkeys(marks))}" if marks else ""
