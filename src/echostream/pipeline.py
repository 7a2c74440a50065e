"""Source to decoded audio to transcript to insights: the one path that every entry point takes."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeVar

import structlog

from echostream.asr import (
    LazyTranscriber,
    Report,
    Samples,
    Transcriber,
    Transcription,
    Turns,
    load_transcriber,
)
from echostream.cache import (
    Cache,
    NoCache,
    dump_insights,
    dump_transcript,
    insights_key,
    load_cache,
    load_transcript,
    transcript_key,
)
from echostream.cache import load_insights as load_cached_insights
from echostream.domain import (
    SAMPLE_RATE_HZ,
    AudioOptions,
    Insights,
    Progress,
    Segment,
    Step,
    TranscribeOptions,
    Transcript,
    joined,
)
from echostream.errors import EchoStreamError, ServerBusy
from echostream.insights import InsightsProvider, load_insights
from echostream.media import decode, decode_channels, fetch
from echostream.merging import merged_channels, text_segments, with_text_before
from echostream.scripts import space_between
from echostream.settings import Settings

log = structlog.get_logger(__name__)

_TELL_EVERY_S = 1.0
_TELL_SEGMENTS_EVERY_S = 0.2
_EVERYTHING = AudioOptions()

T = TypeVar("T")
OnSegment = Callable[[Segment], None]


@dataclass(frozen=True, slots=True)
class Url:
    """A remote source, fetched under the address guard."""

    url: str


Source = BinaryIO | Path | Url
"""An open file with a descriptor, a file on this machine, or a URL."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a source. `insights` is None where none were asked for.

    `transcribe_s` is the wall time of the engine alone, for the real-time factor; `cached` says
    that it had nothing to do, since the same audio was transcribed before.
    """

    transcript: Transcript
    insights: Insights | None
    transcribe_s: float
    cached: bool = False


class Slots:
    """A bounded number of transcriptions at once, and a bounded queue before them."""

    def __init__(self, *, running: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(running)
        self._max_waiting = waiting
        self.waiting = 0

    def check(self) -> None:
        """Raise ServerBusy when a newcomer would find the queue full."""
        if self._free.locked() and self.waiting >= self._max_waiting:
            raise ServerBusy("every place in the queue is taken; try again soon", retry_after_s=5)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for a free place, first come first served; ServerBusy when the queue is full."""
        self.check()
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self._free.release()


def ignore_progress(_step: Step) -> None:
    """For callers that show none."""


class Pipeline:
    """Everything one process needs to turn audio into a `Result`; shared by all its requests."""

    def __init__(
        self,
        settings: Settings,
        transcriber: LazyTranscriber,
        insights: InsightsProvider | None,
        cache: Cache | None = None,
    ) -> None:
        self._settings = settings
        self._cache = cache or NoCache()
        self._insights = insights
        self.transcriber = transcriber
        self.turns = Turns()
        self.slots = Slots(running=settings.worker_concurrency, waiting=settings.max_waiting)
        self._warming: asyncio.Task[None] | None = None
        # Blocking work crosses to a thread here and nowhere else.
        self._threads = ThreadPoolExecutor(
            settings.worker_concurrency + 1, thread_name_prefix="transcribe"
        )

    async def run(
        self,
        source: Source,
        options: TranscribeOptions,
        *,
        audio: AudioOptions = _EVERYTHING,
        insights: bool = True,
        progress: Progress = ignore_progress,
        on_segment: OnSegment | None = None,
    ) -> Result:
        """Transcribe `source` and analyse the text. Cancelling the task stops the work.

        `on_segment` is called in the engine's thread with each segment as it is decoded; channels
        that are transcribed apart come one after the other.
        Raises AudioError, FetchError, EngineError, InvalidRequest or ServerBusy; a failing
        insights provider does not raise, its insights come back degraded.
        """
        options = options.with_vocabulary(self._settings.vocabulary)
        result = await self._transcribe(source, options, audio, progress, on_segment)
        if insights:
            result = replace(result, insights=await self.analyse(result.transcript, progress))
        progress(Step("done", 1.0))
        return result

    async def finalize(
        self,
        given: str,
        source: Source | None,
        options: TranscribeOptions,
        *,
        audio: AudioOptions = _EVERYTHING,
        progress: Progress = ignore_progress,
    ) -> Result:
        """The text `given` followed by that of `source`, where there is one, and insights into the
        whole. Raises as `run` does."""
        whole = Transcript(text_segments(given), options.language or "en", 0.0, "none", "none")
        result = Result(whole, None, 0.0)
        before = whole.text

        def tell_after(step: Step) -> None:
            if step.stage != "done":  # insights are still to come
                space = " " if space_between(before, step.text) else ""
                progress(replace(step, text=f"{before}{space}{step.text}"))

        if source is not None:
            result = await self.run(
                source, options, audio=audio, insights=False, progress=tell_after
            )
            whole = with_text_before(given, result.transcript)
        insights = await self.analyse(whole, progress)
        progress(Step("done", 1.0))
        return replace(result, transcript=whole, insights=insights)

    async def analyse(
        self, transcript: Transcript, progress: Progress = ignore_progress
    ) -> Insights | None:
        """Insights into a transcript; None when INSIGHTS_PROVIDER is `none`."""
        if self._insights is None:
            return None
        progress(Step("analysing"))
        key = insights_key(transcript, self._insights.name, self._insights.model)
        if known := load_cached_insights(await self._cache.get(key)):
            return known
        found = await self._insights.analyse(transcript)
        if not found.details.meta.degraded:
            await self._cache.put(key, dump_insights(found))
        return found

    async def load(self) -> Transcriber:
        """The speech engine, loaded if it is not yet; raises ModelUnavailable."""
        return await self._in_thread(lambda _cancelled: self.transcriber.get())

    def warm_up(self) -> None:
        """Start to load the engine in the background, unless that is under way. A failure is left
        in `transcriber.error`."""
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self._load_quietly())

    async def _load_quietly(self) -> None:
        with suppress(EchoStreamError):
            await self.load()

    @property
    def insights_name(self) -> str | None:
        """Name of the insights provider, None when there is none."""
        return self._insights.name if self._insights else None

    async def aclose(self) -> None:
        """Stop the threads, the engine and the provider's connections."""
        if self._warming is not None:
            await self._warming
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.turns.close()
        self.transcriber.close()
        if self._insights is not None:
            await self._insights.aclose()
        await self._cache.aclose()

    async def _transcribe(
        self,
        source: Source,
        options: TranscribeOptions,
        audio: AudioOptions,
        progress: Progress,
        on_segment: OnSegment | None,
    ) -> Result:
        self.slots.check()
        if isinstance(source, Url):
            progress(Step("fetching"))
            with await self._fetch(source) as file:
                return await self._transcribe(file, options, audio, progress, on_segment)
        async with self.slots.take():
            progress(Step("decoding"))
            channels = await self._decode(source, audio)
            progress(Step("transcribing"))
            engine = await self.load()
            key = await self._in_thread(
                lambda _cancelled: transcript_key(channels, engine.engine, engine.model, options)
            )
            if known := load_transcript(await self._cache.get(key)):
                if on_segment:
                    for segment in known.segments:
                        on_segment(segment)
                return Result(known, None, 0.0, cached=True)
            reading = _Reading(engine, channels, options, on_segment, progress)
            async with _told_of(reading):
                result = await self._in_thread(
                    lambda cancelled: reading.read(cancelled, self.turns.give_way)
                )
        await self._cache.put(key, dump_transcript(result.transcript))
        return result

    async def _decode(self, source: BinaryIO | Path, audio: AudioOptions) -> list[Samples]:
        """The samples of each channel that is transcribed by itself."""
        limits = {
            "max_audio_s": float(self._settings.max_audio_seconds),
            "timeout_s": self._settings.decode_timeout_s,
        }
        if audio.channels == "separate":
            return list(await decode_channels(source, track=audio.track, **limits))
        return [await decode(source, track=audio.track, **limits)]

    async def _fetch(self, source: Url) -> BinaryIO:
        return await fetch(
            source.url,
            max_bytes=self._settings.max_upload_bytes,
            timeout_s=self._settings.fetch_timeout_s,
            allow_private=self._settings.allow_private_urls,
        )

    async def _in_thread(self, work: Callable[[threading.Event], T]) -> T:
        """Run `work` in a thread. On cancellation its event is set and its end awaited, so that a
        slot is never given on while the engine is still busy with the work that held it."""
        cancelled = threading.Event()
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, cancelled)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            cancelled.set()
            await asyncio.wait([future])
            future.exception()  # read, so that asyncio does not report it as lost
            raise


class _Reading:
    """An engine at work on one recording, in a thread; how far it is can be asked from others."""

    def __init__(
        self,
        engine: Transcriber,
        channels: list[Samples],
        options: TranscribeOptions,
        on_segment: OnSegment | None,
        progress: Progress,
    ) -> None:
        self._engine = engine
        self._progress = progress
        self._told_at = 0.0
        self._share = 0.0
        # Two threads tell: steps come in order, and none while a channel is being put away.
        self._lock = threading.Lock()
        self._channels = channels
        self._options = options
        self._on_segment = on_segment
        self._done: list[Transcript] = []
        self._segments: list[Segment] = []
        self._work: Transcription | None = None
        self._duration_s = max(len(samples) for samples in channels) / SAMPLE_RATE_HZ

    def read(self, cancelled: threading.Event, give_way: Callable[[], None]) -> Result:
        """Decode segment by segment until the end, or until cancelled."""
        started = time.perf_counter()
        for samples in self._channels:
            self._work = work = self._engine.transcribe(samples, self._options)
            self._read_channel(work, cancelled, give_way)
            with self._lock:
                self._done.append(self._transcript(work.report))
                self._segments, self._work = [], None
            if cancelled.is_set():
                break
        whole = self._done[0] if len(self._channels) == 1 else merged_channels(self._done)
        return Result(whole, None, time.perf_counter() - started)

    def _read_channel(
        self, work: Transcription, cancelled: threading.Event, give_way: Callable[[], None]
    ) -> None:
        batches = 0
        with closing(work.segments):
            for segment in work.segments:
                self._segments.append(segment)
                if self._on_segment:
                    self._on_segment(segment)
                self.tell(_TELL_SEGMENTS_EVERY_S)
                if cancelled.is_set():
                    break
                if work.report.batches > batches:  # the next segment may be of another batch
                    batches = work.report.batches
                    give_way()

    def _transcript(self, report: Report) -> Transcript:
        return Transcript(
            segments=tuple(self._segments),
            language=report.language,
            duration_s=self._duration_s,
            engine=self._engine.engine,
            model=self._engine.model,
            languages=report.languages,
            warnings=tuple(report.warnings),
        )

    def tell(self, every_s: float = 0.0) -> None:
        """Tell how far it is, unless that was told less than `every_s` ago."""
        with self._lock:
            now = time.monotonic()
            if now - self._told_at >= every_s:
                self._told_at = now
                self._progress(self._step())

    def _step(self) -> Step:
        """By the length of the audio. The share never goes back, though estimates may."""
        report = self._work.report if self._work else Report()
        heard_s = self._segments[-1].end_s if self._segments else 0.0
        read_s = min(max(report.read_s(), heard_s), self._duration_s)
        whole_s = self._duration_s * len(self._channels)
        share = (len(self._done) * self._duration_s + read_s) / whole_s if whole_s else 1.0
        self._share = min(1.0, max(self._share, share))
        text = joined([*(one for done in self._done for one in done.segments), *self._segments])
        left_s = report.left_s(self._duration_s)
        if left_s is not None:
            left_s *= (1 - share) * whole_s / max(self._duration_s - read_s, 1e-6)
        return Step("transcribing", self._share, text, left_s)


@asynccontextmanager
async def _told_of(reading: _Reading) -> AsyncIterator[None]:
    """Tell how far a reading is, again and again until it ends: a batch takes long."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            reading.tell()

    telling = asyncio.create_task(tell())
    try:
        yield
        reading.tell()
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling


def build_pipeline(settings: Settings) -> Pipeline:
    """The pipeline that the settings describe. Quick: the engine loads at first use."""
    return Pipeline(
        settings,
        LazyTranscriber(lambda: load_transcriber(settings)),
        load_insights(settings),
        load_cache(settings),
    )
