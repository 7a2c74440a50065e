"""Packs speech into windows that an engine reads at once, and converts their times to audio times.

An engine such as Whisper reads up to 30 s at a time, and less costs the same. So the speech of a
recording is packed: pauses are shortened, and each window ends in a pause.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.base import Samples
from echostream.engine.vad import Region, to_float32

_PAD = int(0.4 * SAMPLE_RATE_HZ)
"""Audio kept on both sides of speech: the detector misses soft beginnings and soft ends."""
WINDOW_S = 29.5
"""Whisper's 30 s, minus what rounding to its frames may add."""
LONGEST_SPEECH_S = WINDOW_S - 2 * _PAD / SAMPLE_RATE_HZ
"""The longest region of speech that fits into a window."""


@dataclass(frozen=True, slots=True)
class Window:
    """Pieces of the audio, in order and without overlap, that are read together.

    `speech` has the regions of speech in them, as found by the detector.
    """

    pieces: tuple[Region, ...]
    speech: tuple[Region, ...]

    def audio(self, samples: Samples) -> NDArray[np.float32]:
        """The pieces one after the other, with values from -1 to 1."""
        return to_float32(
            np.concatenate([samples[piece.start : piece.end] for piece in self.pieces])
        )

    @property
    def length(self) -> int:
        """The number of samples in all pieces."""
        return sum(piece.length for piece in self.pieces)

    def place(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Converts a time span in the window to one in the audio, in seconds.

        The whole span is placed in the piece that contains its middle: a time at the seam of two
        pieces belongs to both sides of a pause that may last for minutes.
        """
        starts = self._starts()
        middle = (start_s + end_s) / 2 * SAMPLE_RATE_HZ
        number = max(0, bisect_right(starts, middle) - 1)
        piece = self.pieces[number]
        moved = piece.start - starts[number]
        first, last = (
            min(piece.end, max(piece.start, round(at * SAMPLE_RATE_HZ) + moved))
            for at in (start_s, end_s)
        )
        return first / SAMPLE_RATE_HZ, last / SAMPLE_RATE_HZ

    def by_speech(self) -> list["Window"]:
        """The window cut in the middle of each pause; each part has one region of speech."""
        cuts = [(before.end + after.start) // 2 for before, after in pairwise(self.speech)]
        parts = []
        for region, start, end in zip(
            self.speech, [0, *cuts], [*cuts, self.pieces[-1].end], strict=True
        ):
            pieces = (Region(max(piece.start, start), min(piece.end, end)) for piece in self.pieces)
            parts.append(Window(tuple(each for each in pieces if each.length > 0), (region,)))
        return parts

    @classmethod
    def joined(cls, parts: Sequence["Window"]) -> "Window":
        """Joins neighbouring windows."""
        pieces: list[Region] = []
        for piece in (piece for part in parts for piece in part.pieces):
            if pieces and pieces[-1].end == piece.start:
                pieces[-1] = Region(pieces[-1].start, piece.end)
            else:
                pieces.append(piece)
        return cls(tuple(pieces), tuple(region for part in parts for region in part.speech))

    def _starts(self) -> list[int]:
        """Where each piece starts in the window."""
        starts = [0]
        for piece in self.pieces:
            starts.append(starts[-1] + piece.length)
        return starts[:-1]


def padded(
    speech: Iterable[Region], total: int, pad: int = _PAD, *, start: int = 0
) -> Iterator[tuple[Region, Region]]:
    """Each region of speech with the audio around it, without overlaps."""
    regions = iter(speech)
    current = next(regions, None)
    while current is not None:
        following = next(regions, None)
        limit = total if following is None else (current.end + following.start) // 2
        end = min(current.end + pad, limit)
        yield current, Region(max(start, current.start - pad), end)
        start, current = end, following


def windows(
    speech: Iterable[Region], total: int, *, window_s: float = WINDOW_S, start: int = 0
) -> Iterator[Window]:
    """Packs regions of speech, none longer than a window, into as few windows as possible.

    `total` is the number of samples of the audio, `start` where what can be used of it begins.
    """
    limit = int(window_s * SAMPLE_RATE_HZ)
    held: list[tuple[Region, Region]] = []
    length = 0
    for region, piece in padded(speech, total, start=start):
        if held and length + piece.length > limit:
            yield _window(held, limit)
            held, length = [], 0
        held.append((region, piece))
        length += piece.length
    if held:
        yield _window(held, limit)


def _window(held: list[tuple[Region, Region]], limit: int) -> Window:
    window = Window.joined([Window((piece,), (region,)) for region, piece in held])
    if window.length > limit:  # a single region with its padding
        start = window.pieces[0].start
        return Window((Region(start, start + limit),), window.speech)
    return window
