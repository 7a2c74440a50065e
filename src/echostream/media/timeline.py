"""The position of sound in time, from the timestamps of its file."""

_GAP_S = 0.1
"""Recorders' timestamps jitter, and encoders start some milliseconds early or late. Shorter gaps
than this make no difference to listeners or readers."""
_RESTART_S = 1.0
"""Timestamps that go back by more than this have started again."""


class GapsTooLong(Exception):
    """With its gaps as silence, the audio is too long: its timestamps are not plausible."""


class Timeline:
    """Computes the silence before each packet of one track.

    Sound is never dropped. If timestamps overlap, the sound that follows is late until the next gap
    makes up for it.
    """

    def __init__(self, rate_hz: int, fill_until_s: float | None) -> None:
        """`fill_until_s` is the longest that a file with gaps may last; None ignores gaps."""
        self._rate_hz = rate_hz
        self._end = None if fill_until_s is None else int(fill_until_s * rate_hz)
        self._position = 0
        self._shift = 0
        self._has_gaps = False

    def silence_before(self, time_ms: int, count: int) -> int:
        """How many samples of silence come before the `count` samples that start at `time_ms`.

        Raises GapsTooLong if there was a gap and they end after `fill_until_s`.
        """
        late = time_ms * self._rate_hz // 1000 + self._shift - self._position
        if late < -_RESTART_S * self._rate_hz:
            # The clock started again, as in two recordings joined into one file.
            self._shift -= late
        silence = late if self._end is not None and late > _GAP_S * self._rate_hz else 0
        self._position += silence + count
        self._has_gaps = self._has_gaps or silence > 0
        if self._has_gaps and self._end is not None and self._position > self._end:
            raise GapsTooLong
        return silence
