"""Confirmed words as text that only grows, and as segments."""

from collections import defaultdict
from collections.abc import Iterable

from echostream.domain import Segment, Word, joined
from echostream.engine.segments import Segmenter, TimedWord


class GrowingText:
    """Puts words into segments: sentences or parts of them, and none across a pause."""

    def __init__(self) -> None:
        self._segmenter = Segmenter(float("inf"))
        self._closed: list[Segment] = []
        self._spoken_s: defaultdict[str, float] = defaultdict(float)
        self._started = False
        self.language = "und"

    def add(self, words: Iterable[Word]) -> str:
        """Take in words; gives what they add to the text, to be appended as it is."""
        added = ""
        for word in words:
            self._spoken_s[self.language] += word.end_s - word.start_s
            self._closed += self._segmenter.add([TimedWord(word, self.language)])
            added += f"{' ' if self._started and word.space_before else ''}{word.text}"
            self._started = True
        return added

    def end_segment(self) -> None:
        """What comes next begins a new segment."""
        self._closed += self._segmenter.close()

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Those that have ended."""
        return tuple(self._closed)

    @property
    def languages(self) -> tuple[str, ...]:
        """All that were spoken, the one most is said in first."""
        return tuple(
            code
            for code in sorted(self._spoken_s, key=self._spoken_s.__getitem__, reverse=True)
            if code != "und"
        )

    def unfinished_before(self, time_s: float) -> str:
        """The words before `time_s` of the sentence that has begun and not ended."""
        return joined(word for word in self._segmenter.open_words if word.end_s <= time_s)
