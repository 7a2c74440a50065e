"""The sound of a recording, as engines get it."""

from dataclasses import dataclass
from typing import Literal

SAMPLE_RATE_HZ = 16_000
"""Of all samples that engines read: mono, float32."""


@dataclass(frozen=True, slots=True)
class AudioOptions:
    """Which sound of a file is used: all audio tracks mixed, or only `track`, counted from 0; all
    channels mixed, or each channel transcribed separately as one speaker."""

    track: int | None = None
    channels: Literal["mix", "separate"] = "mix"
