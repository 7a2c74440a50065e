"""Where live audio can be cut so that its parts are read as the whole file would be."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.vad import FRAME_SAMPLES, OpenRegion, Region
from echostream.engine.windows import LONGEST_SPEECH_S, Window, padded, windows

_LONGEST = 300 * SAMPLE_RATE_HZ
"""With long pauses, a window's speech may come from hours of audio, which would be read at once."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Audio that is read at once. `speech` is where speech is in it, from its own start; None if
    nobody has looked. Packed anew, it gives the windows that the whole file has there: they can
    have no audio from before or after the stretch."""

    audio: Region
    speech: tuple[Region, ...] | None


class Stretches:
    """Finds the windows of a file that grows. What follows changes none that is finished, because
    they are packed one after the other."""

    def __init__(self) -> None:
        self.finished: deque[Stretch] = deque()
        """One window each, in order, for others to take."""
        self._start = 0
        self._seen = 0
        self._open = OpenRegion(max_region_s=LONGEST_SPEECH_S)
        self._regions: list[Region] = []

    def look(self, chances: Sequence[float]) -> None:
        """Takes the speech probability of each of the next frames."""
        for chance in chances:
            self._seen += FRAME_SAMPLES
            if found := self._open.take(chance):
                self._regions.append(found)
                while window := self._first():
                    self._finish(window)

    def rest(self, total: int) -> Stretch:
        """All that nobody has taken, of audio that has ended with `total` samples. Speech at the
        very end may miss what fills no frame; the padding of its window has it."""
        if found := self._open.close():
            self._regions.append(found)
        start = self.finished[0].audio.start if self.finished else self._start
        if self._seen + FRAME_SAMPLES <= total:
            return Stretch(Region(start, total), None)
        waiting = [
            _moved(region, stretch.audio.start - start)
            for stretch in self.finished
            for region in stretch.speech or ()
        ]
        after = [_moved(region, -start) for region in self._regions]
        return Stretch(Region(start, total), (*waiting, *after))

    def _first(self) -> Window | None:
        """The first window, if it has all of its speech."""
        if not self._regions:
            return None
        first, *others = windows(self._regions, self._seen, start=self._start)
        latest = first.pieces[0].start + _LONGEST
        if self._regions[-1].end > latest:
            return self._until(latest, first)
        # How much of the pause after the last region belongs to it depends on the next one.
        return first if others and others[0].speech[0] != self._regions[-1] else None

    def _until(self, latest: int, window: Window) -> Window:
        """As much of the first window as ends by then."""
        parts = islice(padded(self._regions, self._seen, start=self._start), len(window.speech))
        return Window.joined(
            [Window((piece,), (region,)) for region, piece in parts if region.end <= latest]
        )

    def _finish(self, window: Window) -> None:
        audio = Region(window.pieces[0].start, window.pieces[-1].end)
        speech = tuple(_moved(region, -audio.start) for region in window.speech)
        self.finished.append(Stretch(audio, speech))
        self._start = audio.end
        del self._regions[: len(window.speech)]


def _moved(region: Region, by: int) -> Region:
    return Region(region.start + by, region.end + by)
