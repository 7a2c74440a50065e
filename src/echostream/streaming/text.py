"""Confirmed words as text that only grows, and as segments."""

from collections.abc import Iterable, Sequence

from echostream.domain import Segment, Word

_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")
_LONGEST_SEGMENT_S = 30.0
# Written without spaces between words, as Whisper's own tokenizer has it.
_UNSPACED = ("zh", "ja", "th", "lo", "my", "yue")


class GrowingText:
    """Puts words into segments: one a sentence, and none across a pause."""

    def __init__(self) -> None:
        self._closed: list[Segment] = []
        self._open: list[Word] = []
        self._open_text = ""
        self._started = False
        self.language = "und"

    def add(self, words: Iterable[Word]) -> str:
        """Take in words; gives what they add to the text, to be appended as it is."""
        added = ""
        for word in words:
            if self._open and word.end_s - self._open[0].start_s > _LONGEST_SEGMENT_S:
                self.end_segment()
            added += self._add(word)
            if word.text.endswith(_SENTENCE_ENDS):
                self.end_segment()
        return added

    def _add(self, word: Word) -> str:
        space = self.space if self._open else " "
        self._open.append(word)
        self._open_text += f"{space if self._open_text else ''}{word.text}"
        added = f"{space if self._started else ''}{word.text}"
        self._started = True
        return added

    def end_segment(self) -> None:
        """What comes next begins a new segment."""
        if self._open:
            self._closed.append(self._open_segment())
            self._open, self._open_text = [], ""

    def joined(self, words: Sequence[Word]) -> str:
        """Words that are not part of the text, written as they would be."""
        return self.space.join(word.text for word in words)

    @property
    def segments(self) -> tuple[Segment, ...]:
        return (*self._closed, self._open_segment()) if self._open else tuple(self._closed)

    @property
    def space(self) -> str:
        """What stands between two words of the language."""
        return "" if self.language in _UNSPACED else " "

    @property
    def unfinished(self) -> str:
        """The sentence that has begun and not ended."""
        return self._open_text

    def _open_segment(self) -> Segment:
        return Segment(
            id=len(self._closed),
            start_s=self._open[0].start_s,
            end_s=self._open[-1].end_s,
            text=self._open_text,
            words=tuple(self._open),
        )
