"""A real worker process around an engine whose work takes a known time.

    python timed_worker.py [--lifeline]

Settings come from the environment as for `echostream worker`. `SEGMENT_S` is how long the engine
takes for a segment of a second of audio, `BATCH` how many segments it gives at a time,
and `INSIGHTS_S`, where given, how long insights take.
A job whose prompt is `poison` kills the process, one whose prompt is `broken` fails in a way that
may pass. `EVENTS` names a file that gets a line `what pid time prompt` for each run of the engine
and of the insights.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Generator

from echostream.domain import (
    SAMPLE_RATE_HZ,
    Details,
    Insights,
    InsightsMeta,
    InsightsOptions,
    Segment,
    Sentiment,
    TranscribeOptions,
    Transcript,
)
from echostream.engine import Capabilities, LocalEngine, Registry, Report, Samples, Transcription
from echostream.errors import EngineError
from echostream.insights import load_insights
from echostream.logs import configure_logging
from echostream.pipeline import Pipeline
from echostream.settings import Settings
from echostream.worker.main import main


def note(what: str, prompt: str | None = None) -> None:
    if path := os.environ.get("EVENTS"):
        with open(path, "a") as file:
            file.write(f"{what} {os.getpid()} {time.time()} {prompt or ''}\n")


class TimedTranscriber:
    """Says `word0 word1 …`, a word for each second of audio, taking `segment_s` for each. As many
    as `batch` come at once, after the time for all of them."""

    engine = "timed"
    model = "timed-1"
    capabilities = Capabilities()

    def __init__(self, segment_s: float, batch: int) -> None:
        self._segment_s = segment_s
        self._batch = batch

    def transcribe(
        self, samples: Samples, options: TranscribeOptions, *, live: bool = False, **_: object
    ) -> Transcription:
        note("transcribing", options.prompt)
        if options.prompt == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        if options.prompt == "broken":
            raise EngineError("the engine broke")
        report = Report("en")
        return Transcription(self._segments(len(samples), report), report)

    def _segments(self, count: int, report: Report) -> Generator[Segment]:
        seconds = range(max(1, count // SAMPLE_RATE_HZ))
        for first in seconds[:: self._batch]:
            batch = seconds[first : first + self._batch]
            report.begin(batch[-1] + 1.0)
            time.sleep(self._segment_s * len(batch))
            report.end()
            for number in batch:
                yield Segment(number, float(number), number + 1.0, f"word{number}")

    def close(self) -> None:
        pass


class TimedInsights:
    """Says how many words there were, after `answer_s`."""

    name = "timed"
    model = None

    def __init__(self, answer_s: float) -> None:
        self._answer_s = answer_s

    async def analyse(self, transcript: Transcript, _options: InsightsOptions) -> Insights:
        note("analysing")
        await asyncio.sleep(self._answer_s)
        details = Details("Timed", (), (), (), (), (), InsightsMeta("timed", None, 1.0))
        summary = f"{len(transcript.segments)} words"
        return Insights(summary, (), Sentiment("neutral", 0.5), details)

    async def aclose(self) -> None:
        pass


def timed_pipeline(settings: Settings) -> Pipeline:
    segment_s = float(os.environ.get("SEGMENT_S", "0"))
    batch = int(os.environ.get("BATCH", "1"))
    answer_s = os.environ.get("INSIGHTS_S")
    return Pipeline(
        settings,
        LocalEngine(settings, Registry.only(lambda: TimedTranscriber(segment_s, batch))),
        TimedInsights(float(answer_s)) if answer_s else load_insights(settings, None),
    )


if __name__ == "__main__":
    settings = Settings()
    configure_logging(settings.log_level)
    lifeline = "--lifeline" in sys.argv
    sys.exit(main(settings, lifeline=lifeline, make_pipeline=timed_pipeline))
