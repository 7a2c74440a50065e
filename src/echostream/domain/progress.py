"""How far the work on a recording is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["fetching", "decoding", "transcribing", "diarizing", "analysing", "done"]

# Start and size of each stage, in percent of the work on a recording. Transcription has most of it,
# so that 50 means that half of the audio has been read.
_PERCENT: dict[Stage, tuple[int, int]] = {
    "fetching": (0, 5),
    "decoding": (5, 5),
    "transcribing": (10, 80),
    "diarizing": (90, 5),
    "analysing": (95, 4),
    "done": (99, 0),
}


@dataclass(frozen=True, slots=True)
class Step:
    """The progress of the work: the share of the stage that is done, 0 to 1, and while transcribing
    the text so far and the remaining time, None if unknown."""

    stage: Stage
    share: float = 0.0
    text: str = ""
    left_s: float | None = None

    @property
    def percent(self) -> int:
        """The progress of the whole work. 100 is only reached by its result."""
        start, width = _PERCENT[self.stage]
        return start + int(width * min(1.0, max(0.0, self.share)))


Progress = Callable[[Step], None]
"""Called with each step, from any thread; must not raise."""
