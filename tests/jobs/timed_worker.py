"""A real worker process around an engine whose work takes a known time.

    python timed_worker.py

Settings come from the environment as for `echostream worker`. `SEGMENT_S` is how long the engine
takes for a segment of a second of audio. A job whose prompt is `poison` kills the process, one
whose prompt is `broken` fails in a way that may pass.
"""

import os
import signal
import sys
import time
from collections.abc import Generator

from echostream.asr import DetectedLanguage, LazyTranscriber, Samples, Transcription
from echostream.domain import SAMPLE_RATE_HZ, Segment, TranscribeOptions
from echostream.errors import EngineError
from echostream.insights import load_insights
from echostream.logs import configure_logging
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.worker import main


class TimedTranscriber:
    """Says `one two …`, a word for each second of audio, taking `segment_s` for each."""

    engine = "timed"
    model = "timed-1"

    def __init__(self, segment_s: float) -> None:
        self._segment_s = segment_s

    def transcribe(self, samples: Samples, options: TranscribeOptions) -> Transcription:
        if options.prompt == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        if options.prompt == "broken":
            raise EngineError("the engine broke")
        return Transcription(self._segments(len(samples)), DetectedLanguage("en"))

    def _segments(self, count: int) -> Generator[Segment]:
        for number in range(max(1, count // SAMPLE_RATE_HZ)):
            time.sleep(self._segment_s)
            yield Segment(number, float(number), number + 1.0, f"word{number}")

    def close(self) -> None:
        pass


def timed_pipeline(settings: Settings) -> Pipeline:
    segment_s = float(os.environ.get("SEGMENT_S", "0"))
    return Pipeline(
        settings,
        LazyTranscriber(lambda: TimedTranscriber(segment_s)),
        load_insights(settings),
    )


if __name__ == "__main__":
    settings = Settings()
    configure_logging(settings)
    sys.exit(main(settings, make_pipeline=timed_pipeline))
