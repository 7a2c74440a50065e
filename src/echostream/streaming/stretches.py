"""Where live audio can be cut so that its parts are read as the whole file would be."""

from collections import deque
from collections.abc import Sequence

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.vad import FRAME_SAMPLES, OpenRegion, Region
from echostream.engine.windows import LONGEST_SPEECH_S, Window, windows

_LONGEST = 300 * SAMPLE_RATE_HZ
"""With long pauses, a window's speech may come from hours of audio, which would be read at once."""
_BEFORE = SAMPLE_RATE_HZ
"""So much of a pause comes before the first window. Speech is looked for anew in each stretch, and
found at the same places if it is in the same frames, after some silence."""


class Stretches:
    """Finds the windows of a file that grows. What follows changes none that is finished, because
    they are packed one after the other."""

    def __init__(self) -> None:
        self.finished: deque[Region] = deque()
        """Audio of one window each, in order, for others to take."""
        self._start = 0
        self._seen = 0
        self._open = OpenRegion(max_region_s=LONGEST_SPEECH_S)
        self._regions: list[Region] = []

    @property
    def rest_start(self) -> int:
        """Where the audio begins that nobody has taken."""
        return self.finished[0].start if self.finished else _frame_before(self._start)

    def look(self, chances: Sequence[float]) -> None:
        """Takes the speech probability of each of the next frames."""
        for chance in chances:
            self._seen += FRAME_SAMPLES
            if found := self._open.take(chance):
                self._regions.append(found)
                while window := self._first():
                    self._finish(window)

    def _first(self) -> Window | None:
        """The first window, if it has all of its speech."""
        if not self._regions:
            return None
        first, *others = windows(self._regions, self._seen, start=self._start)
        if self._regions[-1].end - first.pieces[0].start > _LONGEST:
            # As much of it as is short enough.
            return _until(first, first.pieces[0].start + _LONGEST)
        # How much of the pause after the last region belongs to it depends on the next one.
        return first if others and others[0].speech[0] != self._regions[-1] else None

    def _finish(self, window: Window) -> None:
        begin = max(self._start, window.pieces[0].start - _BEFORE)
        self._start = window.pieces[-1].end
        self.finished.append(Region(_frame_before(begin), self._start))
        del self._regions[: len(window.speech)]


def _frame_before(sample: int) -> int:
    return sample // FRAME_SAMPLES * FRAME_SAMPLES


def _until(window: Window, end: int) -> Window:
    count = max(1, sum(region.end <= end for region in window.speech))
    return Window(window.pieces[:count], window.speech[:count])
