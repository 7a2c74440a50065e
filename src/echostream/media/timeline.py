"""Where sound lies in time, by the timestamps of the file that it comes from."""

_GAP_S = 0.1
"""Timestamps of recorders jitter, and encoders begin some milliseconds early or late. A gap that
is shorter than this is neither heard nor seen."""
_ANEW_S = 1.0


class GapsTooLong(Exception):
    """Silence in the place of gaps makes the audio longer than can be believed."""


class Timeline:
    """Tells how much silence belongs before each packet of one track.

    Sound is never dropped: where timestamps overlap, what follows is later than they say, until
    the next gap makes up for it.
    """

    def __init__(self, rate_hz: int, fill_until_s: float | None) -> None:
        """`fill_until_s` is the most that a file with gaps can last; None leaves no gap."""
        self._rate_hz = rate_hz
        self._end = None if fill_until_s is None else int(fill_until_s * rate_hz)
        self._position = 0
        self._shift = 0
        self._has_gaps = False

    def silence_before(self, time_ms: int, count: int) -> int:
        """The samples of silence before the `count` samples that begin at `time_ms`.

        Raises GapsTooLong if they end later than they can, and there was a gap.
        """
        late = time_ms * self._rate_hz // 1000 + self._shift - self._position
        if late < -_ANEW_S * self._rate_hz:
            # Time began anew, as in two recordings joined into one file.
            self._shift -= late
        silence = late if self._end is not None and late > _GAP_S * self._rate_hz else 0
        self._position += silence + count
        self._has_gaps = self._has_gaps or silence > 0
        if self._has_gaps and self._end is not None and self._position > self._end:
            raise GapsTooLong
        return silence
