"""The engine's process around a transcriber whose work takes a known time.

python scripted_engine.py SOCKET

It says a word for each second of audio, each after `SEGMENT_S`, and tells two speakers apart. It
kills itself halfway if the prompt is `poison`; with `once`, only if the file `POISONED` is not
there yet.
"""

import os
import signal
import sys
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np

from echostream.cache import NoCache
from echostream.diarization.base import Diarization, OnShare
from echostream.domain import (
    SAMPLE_RATE_HZ,
    Segment,
    SpeakerOptions,
    TranscribeOptions,
    Turn,
    Voice,
    Word,
)
from echostream.engine import Capabilities, Report, Samples, Transcription
from echostream.engine.host import run
from echostream.logs import configure_logging
from echostream.settings import Settings


class ScriptedDiarizer:
    """Two speakers, half of the audio each. It kills itself halfway if there are 13 of them, and
    once if there are 7. For 11 it wants more memory than there is."""

    model = "scripted-voices"

    def diarize(
        self, samples: Samples, options: SpeakerOptions, *, on_share: OnShare
    ) -> Diarization:
        on_share(0.5)
        _die({13: "poison", 7: "once"}.get(options.count or 0, ""))
        if options.count == 11:
            np.ones(1 << 56)
        half_s, end_s = len(samples) / SAMPLE_RATE_HZ / 2, len(samples) / SAMPLE_RATE_HZ
        return Diarization((Turn(0.0, half_s, "A"), Turn(half_s, end_s, "B")))

    def voice(self, samples: Samples) -> Voice | None:
        return Voice(self.model, (1.0, 0.0)) if samples.any() else None

    def close(self) -> None:
        pass


class ScriptedTranscriber:
    engine = "scripted"
    model = "scripted-1"
    capabilities = Capabilities()

    def transcribe(
        self, samples: Samples, options: TranscribeOptions, *, live: bool = False, **_: object
    ) -> Transcription:
        report = Report()
        report.spoken("en", 1.0)
        seconds = len(samples) // SAMPLE_RATE_HZ
        return Transcription(self._segments(seconds, report, options.prompt or ""), report)

    def _segments(self, seconds: int, report: Report, prompt: str) -> Generator[Segment]:
        for number in range(seconds):
            report.begin(number + 1.0)
            time.sleep(float(os.environ.get("SEGMENT_S", "0")))
            report.end()
            if number == seconds // 2:
                _die(prompt)
            words = (Word(number, number + 1, f"word{number}"),)
            yield Segment(number, number, number + 1, f"word{number}", words)

    def close(self) -> None:
        pass


def _die(prompt: str) -> None:
    poisoned = Path(os.environ.get("POISONED", "nowhere"))
    if prompt == "poison" or (prompt == "once" and not poisoned.exists()):
        poisoned.touch()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    configure_logging("info")
    run(
        Settings(),
        Path(sys.argv[1]),
        NoCache(),
        lambda _settings: ScriptedTranscriber(),
        lambda _settings: ScriptedDiarizer(),
    )
