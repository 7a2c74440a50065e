"""From a source to audio, transcript and insights: the path that every entry point takes."""

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from echostream import traces
from echostream.analysis import InsightsFinder
from echostream.cache import Cache, NoCache, dump_transcript, load_transcript, transcript_key
from echostream.domain import (
    AS_USUAL,
    SAMPLE_RATE_HZ,
    AudioOptions,
    Insights,
    InsightsOptions,
    Progress,
    SpeakerOptions,
    Step,
    TranscribeOptions,
    Transcript,
    Voice,
)
from echostream.engine import Engine, Place, Samples
from echostream.engine_run import EngineRun, OnSegment
from echostream.errors import InvalidAudio
from echostream.insights import InsightsChoice, InsightsProvider, Questions
from echostream.media import decode
from echostream.merging import text_segments, with_text_before
from echostream.scripts import space_between
from echostream.settings import Settings
from echostream.sources import Source, Url, decoded, fetched
from echostream.speakers import SpeakerFinder

_EVERYTHING = AudioOptions()


@dataclass(frozen=True, slots=True)
class Result:
    """The result for one source. `insights` is None if none were requested.

    `transcribe_s` is the wall time of the engine alone, for the real-time factor. `cached` means
    that the same audio was transcribed before, so the engine had nothing to do. `diarize_s` is the
    wall time of telling the speakers apart, None if nobody asked for it.
    """

    transcript: Transcript
    insights: Insights | None
    transcribe_s: float
    cached: bool = False
    diarize_s: float | None = None


def ignore_progress(_step: Step) -> None:
    """For callers that show no progress."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be done with a source."""

    options: TranscribeOptions
    audio: AudioOptions
    speakers: SpeakerOptions | None
    progress: Progress
    on_segment: OnSegment | None


class Pipeline:
    """Everything a process needs to turn audio into a `Result`; shared by all its requests."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        insights: InsightsProvider | InsightsChoice | None,
        cache: Cache | None = None,
        *,
        questions: Questions | None = None,
        patient: bool = False,
    ) -> None:
        """A `patient` pipeline waits for a busy engine instead of raising ServerBusy. `questions`
        is None without a language model; `insights` closes the model of both. A provider alone is
        the only one that callers may choose."""
        self._settings = settings
        self._patient = patient
        self._cache = cache or NoCache()
        self.insights = (
            insights if isinstance(insights, InsightsChoice) else InsightsChoice(insights)
        )
        self._finder = InsightsFinder(self._cache, template=settings.insights_template)
        self.engine = engine
        self.questions = questions
        self.speakers = SpeakerFinder(self._cache, timeout_s=settings.diarization_timeout_s)
        self.diarizes_by_default = settings.diarize

    async def start(self) -> None:
        """Starts the engine, which may be a separate process."""
        await self.engine.start()

    async def run(
        self,
        source: Source,
        options: TranscribeOptions,
        *,
        audio: AudioOptions = _EVERYTHING,
        speakers: SpeakerOptions | None = None,
        insights: bool = True,
        insights_options: InsightsOptions = AS_USUAL,
        progress: Progress = ignore_progress,
        on_segment: OnSegment | None = None,
    ) -> Result:
        """Transcribes `source`, tells who speaks unless `speakers` is None, and, if `insights` are
        wanted, analyses the text. Cancelling the task stops the work.

        `on_segment` is called with each segment as it is decoded; separate channels come one
        after the other.
        Raises AudioError, FetchError, EngineError, InvalidRequest or ServerBusy. If the insights
        provider fails, it does not raise; the insights are degraded instead. If the diarizer fails,
        the transcript has a warning.
        """
        self.insights.named(insights_options.model)  # before the hours of transcribing
        options = options.with_vocabulary(self._settings.vocabulary)
        work = _Work(options, audio, speakers, progress, on_segment)
        result = await self._transcribe(source, work)
        if insights:
            found = await self.analyse(result.transcript, insights_options, progress)
            result = replace(result, insights=found)
        progress(Step("done", 1.0))
        return result

    async def finalize(
        self,
        given: str,
        source: Source | None,
        options: TranscribeOptions,
        *,
        audio: AudioOptions = _EVERYTHING,
        speakers: SpeakerOptions | None = None,
        insights_options: InsightsOptions = AS_USUAL,
        progress: Progress = ignore_progress,
    ) -> Result:
        """Returns the text `given`, followed by that of `source` if there is one, and insights into
        the whole. Raises what `run` raises."""
        self.insights.named(insights_options.model)
        segments = await asyncio.to_thread(text_segments, given)
        whole = Transcript(segments, options.language or "en", 0.0, "none", "none")
        result = Result(whole, None, 0.0)
        before = whole.text

        def tell_after(step: Step) -> None:
            if step.stage != "done":  # insights still follow
                space = " " if space_between(before, step.text) else ""
                progress(replace(step, text=f"{before}{space}{step.text}"))

        if source is not None:
            result = await self.run(
                source,
                options,
                audio=audio,
                speakers=speakers,
                insights=False,
                progress=tell_after,
            )
            whole = await asyncio.to_thread(with_text_before, given, result.transcript)
        insights = await self.analyse(whole, insights_options, progress)
        progress(Step("done", 1.0))
        return replace(result, transcript=whole, insights=insights)

    async def analyse(
        self,
        transcript: Transcript,
        options: InsightsOptions = AS_USUAL,
        progress: Progress = ignore_progress,
    ) -> Insights | None:
        """Returns insights into a transcript; None if INSIGHTS_PROVIDER is `none`. Raises
        InvalidRequest if the options name a model that is not offered."""
        provider = self.insights.named(options.model)
        if provider is None:
            return None
        progress(Step("analysing"))
        return await self._finder.find(provider, transcript, options)

    async def voice(self, source: BinaryIO | Path, *, least_s: float, most_s: float) -> Voice:
        """Returns how the one speaker of a short recording sounds. Raises AudioError if it cannot
        be used, EngineError or ServerBusy."""
        async with self.engine.take(patient=self._patient) as place:
            samples = await decode(
                source, max_audio_s=most_s, timeout_s=self._settings.decode_timeout_s
            )
            if len(samples) < least_s * SAMPLE_RATE_HZ:
                raise InvalidAudio(f"it is shorter than {least_s:g} s")
            voice = await place.voice(samples)
        if voice is None:
            raise InvalidAudio("there is too little speech in it")
        return voice

    @property
    def insights_name(self) -> str | None:
        """The name of the insights provider; None if there is none."""
        return self.insights.default.name if self.insights.default else None

    @property
    def insights_model(self) -> str | None:
        """The id of its model, if it has one and the id is known."""
        return self.insights.default.model if self.insights.default else None

    async def aclose(self) -> None:
        """Stops the engine and closes the provider's connections."""
        await self.engine.aclose()
        await self.insights.aclose()
        await self._cache.aclose()

    async def _transcribe(self, source: Source, work: _Work) -> Result:
        if not self._patient:
            self.engine.check()
        # Before the download starts.
        self.engine.state.named(work.options.model).check(work.options)
        if isinstance(source, Url):
            work.progress(Step("fetching"))
            with traces.span("fetch"):
                file = await fetched(source, self._settings)
            with file:
                return await self._transcribe(file, work)
        async with self.engine.take(patient=self._patient) as place:
            work.progress(Step("decoding"))
            with traces.span("decode"):
                channels = await decoded(source, work.audio, self._settings)
            if work.speakers is not None:
                await self.speakers.check(place, work.speakers)
            with traces.span("transcribe") as step:
                result = await self._read(place, channels, work)
                said = result.transcript
                step.set_attribute("engine", said.engine)
                step.set_attribute("model", said.model)
                step.set_attribute("audio_s", said.duration_s)
                step.set_attribute("cached", result.cached)
            if work.speakers is None:
                return result
            if len(channels) > 1:  # each is a speaker
                return replace(
                    result, transcript=await self.speakers.add_voices(place, channels, said)
                )
            return await self._diarize(place, channels[0], work.speakers, result, work.progress)

    async def _read(self, place: Place, channels: list[Samples], work: _Work) -> Result:
        work.progress(Step("transcribing"))
        model = await place.load(work.options)
        key = await asyncio.to_thread(
            transcript_key, channels, model.engine, model.model, work.options
        )
        if known := load_transcript(await self._cache.get(key)):
            if work.on_segment:
                for segment in known.segments:
                    work.on_segment(segment)
            return Result(known, None, 0.0, cached=True)
        started = time.perf_counter()
        run = EngineRun(place, model, channels, work.options, work.on_segment, work.progress)
        transcript = await run.transcript()
        result = Result(transcript, None, time.perf_counter() - started)
        await self._cache.put(key, dump_transcript(transcript))
        return result

    async def _diarize(
        self,
        place: Place,
        samples: Samples,
        options: SpeakerOptions,
        result: Result,
        progress: Progress,
    ) -> Result:
        progress(Step("diarizing"))
        started = time.perf_counter()
        with traces.span("diarize"):
            transcript = await self.speakers.add(
                place,
                samples,
                result.transcript,
                options,
                lambda share: progress(Step("diarizing", share)),
            )
        return replace(result, transcript=transcript, diarize_s=time.perf_counter() - started)
