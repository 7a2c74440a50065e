"""Confirmed words, as text that only grows and as segments."""

from collections import defaultdict
from collections.abc import Iterable

from echostream.domain import Segment, Word, joined
from echostream.engine.segments import Segmenter, TimedWord


class GrowingText:
    """Groups words into segments: sentences or parts of them, none across a pause."""

    def __init__(self) -> None:
        self._segmenter = Segmenter(float("inf"))
        self._closed: list[Segment] = []
        self._spoken_s: defaultdict[str, float] = defaultdict(float)
        self._started = False
        self.language = "und"

    def add(self, words: Iterable[Word]) -> str:
        """Takes words; returns what must be appended to the text."""
        added = ""
        for word in words:
            self._spoken_s[self.language] += word.end_s - word.start_s
            self._closed += self._segmenter.add([TimedWord(word, self.language)])
            added += f"{' ' if self._started and word.space_before else ''}{word.text}"
            self._started = True
        return added

    def end_segment(self) -> None:
        """The next word starts a new segment."""
        self._closed += self._segmenter.close()

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments that have ended."""
        return tuple(self._closed)

    @property
    def languages(self) -> tuple[str, ...]:
        """All languages that were spoken, the most used first."""
        return tuple(
            code
            for code in sorted(self._spoken_s, key=self._spoken_s.__getitem__, reverse=True)
            if code != "und"
        )

    def unfinished_before(self, time_s: float) -> str:
        """The words before `time_s` of the sentence that has not ended yet."""
        return joined(word for word in self._segmenter.open_words if word.end_s <= time_s)
