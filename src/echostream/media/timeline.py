"""Where sound lies in time, by the timestamps of the file that it comes from."""

_GAP_S = 0.1
"""Timestamps of recorders jitter, and encoders begin some milliseconds early or late. A gap that
is shorter than this is neither heard nor seen."""
_ANEW_S = 1.0


class Timeline:
    """Tells how much silence belongs before each packet of one track.

    Sound is never dropped: where timestamps overlap, what follows is later than they say, until
    the next gap makes up for it.
    """

    def __init__(self, rate_hz: int, *, fill_gaps: bool) -> None:
        self._rate_hz = rate_hz
        self._fill_gaps = fill_gaps
        self._position = 0
        self._shift = 0
        self.filled = 0
        """The samples of silence so far."""

    def silence_before(self, time_ms: int, count: int) -> int:
        """The samples of silence before the `count` samples that begin at `time_ms`."""
        late = time_ms * self._rate_hz // 1000 + self._shift - self._position
        if late < -_ANEW_S * self._rate_hz:
            # Time began anew, as in two recordings joined into one file.
            self._shift -= late
        silence = late if self._fill_gaps and late > _GAP_S * self._rate_hz else 0
        self._position += silence + count
        self.filled += silence
        return silence
