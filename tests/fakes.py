"""Stand-ins that keep to our protocols, for tests that are not about the real thing."""

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from echostream.cache import Cache
from echostream.diarization.base import Diarization, OnShare
from echostream.domain import (
    AS_USUAL,
    SAMPLE_RATE_HZ,
    ActionItem,
    Details,
    Insights,
    InsightsMeta,
    InsightsOptions,
    Segment,
    Sentiment,
    SpeakerOptions,
    TranscribeOptions,
    Transcript,
    Turn,
    Voice,
    Word,
)
from echostream.engine import Capabilities, LocalEngine, Registry, Report, Samples, Transcription
from echostream.engine.diarizer import SharedDiarizer
from echostream.engine.vad import Region
from echostream.errors import EchoStreamError
from echostream.pipeline import Pipeline
from echostream.settings import Settings


@dataclass
class FakeTranscriber:
    """Says its `texts`, one a segment, spread evenly over the audio.

    `hold`, where given, is waited for before each segment but the first, so that a test can look
    at work under way; `holding` is set then. `calls` keeps the options of every call,
    `speech` where it was told that speech is.
    """

    texts: tuple[str, ...] = ("we will ship on friday", "sarah will call the client")
    error: EchoStreamError | None = None
    hold: threading.Event | None = None
    calls: list[TranscribeOptions] = field(default_factory=list)
    speech: list[Sequence[Region] | None] = field(default_factory=list)
    started: threading.Event = field(default_factory=threading.Event)
    holding: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    engine: str = "fake"
    model: str = "fake-1"
    capabilities: Capabilities = field(default_factory=Capabilities)

    def transcribe(
        self,
        samples: Samples,
        options: TranscribeOptions,
        *,
        live: bool = False,
        speech: Sequence[Region] | None = None,
    ) -> Transcription:
        self.calls.append(options)
        self.speech.append(speech)
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
                    self.holding.set()
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
class FakeDiarizer:
    """Speakers take turns over the audio, the parts of which are equally long. Each has a voice
    along another axis; known voices give names to those they equal.

    `hold`, where given, is waited for between the turns. `calls` keeps the options of every call,
    `heard` its audio.
    """

    speakers: Sequence[str] = ("A", "B")
    error: Exception | None = None
    hold: threading.Event | None = None
    calls: list[SpeakerOptions] = field(default_factory=list)
    heard: list[Samples] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)
    model: str = "fake-voices"

    def diarize(
        self,
        samples: Samples,
        options: SpeakerOptions,
        *,
        on_share: OnShare = lambda _share: None,
    ) -> Diarization:
        self.calls.append(options)
        self.heard.append(samples)
        if self.error:
            raise self.error
        names = {each.voice: each.name for each in options.known}
        spoken = [names.get(voice_of(each), each) for each in self.speakers]
        step_s = len(samples) / SAMPLE_RATE_HZ / len(spoken)
        turns = []
        for number, name in enumerate(spoken):
            turns.append(Turn(number * step_s, (number + 1) * step_s, name))
            if self.hold:
                self.hold.wait(30)
            on_share((number + 1) / len(spoken))
        voices = {name: voice_of(each) for name, each in zip(spoken, self.speakers, strict=True)}
        return Diarization(tuple(turns), voices)

    def voice(self, samples: Samples) -> Voice | None:
        """That of A if there is any sound, which is louder than 0."""
        if self.error:
            raise self.error
        return voice_of("A") if samples.any() else None

    def close(self) -> None:
        self.closed.set()


def voice_of(speaker: str) -> Voice:
    """The voice that the fake diarizer finds for `A`, `B`, …"""
    place = ord(speaker) - ord("A")
    return Voice("fake-voices", tuple(1.0 if each == place else 0.0 for each in range(8)))


def no_diarizer() -> SharedDiarizer:
    """For engines that nobody asks who speaks."""
    return SharedDiarizer(FakeDiarizer, lambda: None, idle_s=60)


@dataclass
class FakeInsights:
    """Answers with the transcript's text as its summary, and an item that is `due`. `calls` keeps
    every call's options."""

    error: Exception | None = None
    name: str = "fake"
    model: str | None = None
    due: str | None = None
    closed: bool = False
    calls: list[InsightsOptions] = field(default_factory=list)

    async def analyse(
        self, transcript: Transcript, options: InsightsOptions = AS_USUAL
    ) -> Insights:
        self.calls.append(options)
        if self.error:
            raise self.error
        template = options.template.name if options.template else None
        meta = InsightsMeta(self.name, self.model, 1.0, template=template)
        items = (ActionItem("Fake it", None, self.due, ()),) if self.due else ()
        details = Details("Fake", (), (), (), items, (), meta)
        return Insights(transcript.text, ("fakes",), Sentiment("neutral", 0.5), details)

    async def aclose(self) -> None:
        self.closed = True


def fake_pipeline(
    transcriber: FakeTranscriber | None = None,
    insights: FakeInsights | None = None,
    diarizer: FakeDiarizer | None = None,
    cache: Cache | None = None,
) -> Callable[[Settings], Pipeline]:
    """A `make_pipeline` for `create_app` around the fakes."""

    def make(settings: Settings) -> Pipeline:
        chosen = transcriber or FakeTranscriber()
        models = Registry.only(lambda: chosen, chosen.model)
        voices = diarizer or FakeDiarizer()
        engine = LocalEngine(settings, models, lambda _settings: voices)
        return Pipeline(settings, engine, insights or FakeInsights(), cache)

    return make
