"""Stand-ins that keep to our protocols, for tests that are not about the real thing."""

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from echostream.domain import (
    AS_USUAL,
    SAMPLE_RATE_HZ,
    Details,
    Insights,
    InsightsMeta,
    InsightsOptions,
    Segment,
    Sentiment,
    TranscribeOptions,
    Transcript,
    Word,
)
from echostream.engine import Capabilities, LocalEngine, Registry, Report, Samples, Transcription
from echostream.errors import EchoStreamError
from echostream.pipeline import Pipeline
from echostream.settings import Settings


@dataclass
class FakeTranscriber:
    """Says its `texts`, one a segment, spread evenly over the audio.

    `hold`, where given, is waited for before each segment but the first, so that a test can look
    at work under way. `calls` keeps the options of every call.
    """

    texts: tuple[str, ...] = ("we will ship on friday", "sarah will call the client")
    error: EchoStreamError | None = None
    hold: threading.Event | None = None
    calls: list[TranscribeOptions] = field(default_factory=list)
    started: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    engine: str = "fake"
    model: str = "fake-1"
    capabilities: Capabilities = field(default_factory=Capabilities)

    def transcribe(
        self, samples: Samples, options: TranscribeOptions, *, live: bool = False
    ) -> Transcription:
        self.calls.append(options)
        if self.error:
            raise self.error
        report = Report()
        report.spoken("en", 1.0)
        return Transcription(self._segments(len(samples), report), report)

    def _segments(self, count: int, report: Report) -> Generator[Segment]:
        step_s = count / SAMPLE_RATE_HZ / len(self.texts)
        try:
            for number, text in enumerate(self.texts):
                self.started.set()
                if number and self.hold:
                    self.hold.wait(30)
                start_s, end_s = number * step_s, (number + 1) * step_s
                report.begin(end_s)
                report.end()
                words = (Word(start_s, end_s, text),)
                yield Segment(number, start_s, end_s, text, words, language="en")
        finally:
            self.stopped.set()

    def close(self) -> None:
        pass


@dataclass
class FakeInsights:
    """Answers with the transcript's text as its summary. `calls` keeps every call's options."""

    error: Exception | None = None
    name: str = "fake"
    model: str | None = None
    closed: bool = False
    calls: list[InsightsOptions] = field(default_factory=list)

    async def analyse(
        self, transcript: Transcript, options: InsightsOptions = AS_USUAL
    ) -> Insights:
        self.calls.append(options)
        if self.error:
            raise self.error
        template = options.template.name if options.template else None
        meta = InsightsMeta("fake", None, 1.0, template=template)
        details = Details("Fake", (), (), (), (), (), meta)
        return Insights(transcript.text, ("fakes",), Sentiment("neutral", 0.5), details)

    async def aclose(self) -> None:
        self.closed = True


def fake_pipeline(
    transcriber: FakeTranscriber | None = None, insights: FakeInsights | None = None
) -> Callable[[Settings], Pipeline]:
    """A `make_pipeline` for `create_app` around the fakes."""

    def make(settings: Settings) -> Pipeline:
        chosen = transcriber or FakeTranscriber()
        models = Registry.only(lambda: chosen, chosen.model)
        return Pipeline(settings, LocalEngine(settings, models), insights or FakeInsights())

    return make
