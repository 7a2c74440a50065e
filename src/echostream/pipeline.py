"""Source to decoded audio to transcript to insights: the one path that every entry point takes."""

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeVar

import structlog

from echostream.asr import LazyTranscriber, Samples, Transcriber, Turns, load_transcriber
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
    Insights,
    Progress,
    Segment,
    Stage,
    TranscribeOptions,
    Transcript,
)
from echostream.errors import EchoStreamError, ServerBusy
from echostream.insights import InsightsProvider, load_insights
from echostream.media import decode, fetch
from echostream.settings import Settings

log = structlog.get_logger(__name__)

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


def ignore_progress(_stage: Stage, _share: float) -> None:
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
        insights: bool = True,
        progress: Progress = ignore_progress,
        on_segment: OnSegment | None = None,
    ) -> Result:
        """Transcribe `source` and analyse the text. Cancelling the task stops the work.

        `on_segment` is called in the engine's thread with each segment as it is decoded.
        Raises AudioError, FetchError, EngineError, InvalidRequest or ServerBusy; a failing
        insights provider does not raise, its insights come back degraded.
        """
        result = await self._transcribe(source, options, progress, on_segment)
        if insights:
            result = replace(result, insights=await self.analyse(result.transcript, progress))
        progress("done", 1.0)
        return result

    async def finalize(
        self,
        given: str,
        source: Source | None,
        options: TranscribeOptions,
        *,
        progress: Progress = ignore_progress,
    ) -> Result:
        """The text `given` followed by that of `source`, where there is one, and insights into the
        whole. Raises as `run` does."""
        segments = text_segments(given)
        whole = Transcript(segments, options.language or "en", 0.0, "none", "none")
        result = Result(whole, None, 0.0)
        if source is not None:
            result = await self.run(source, options, insights=False, progress=progress)
            new = (
                replace(segment, id=number)
                for number, segment in enumerate(result.transcript.segments, start=len(segments))
            )
            whole = replace(result.transcript, segments=(*segments, *new))
        insights = await self.analyse(whole, progress)
        return replace(result, transcript=whole, insights=insights)

    async def analyse(
        self, transcript: Transcript, progress: Progress = ignore_progress
    ) -> Insights | None:
        """Insights into a transcript; None when INSIGHTS_PROVIDER is `none`."""
        if self._insights is None:
            return None
        progress("analysing", 0.0)
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
        progress: Progress,
        on_segment: OnSegment | None,
    ) -> Result:
        self.slots.check()
        if isinstance(source, Url):
            progress("fetching", 0.0)
            with await self._fetch(source) as file:
                return await self._transcribe(file, options, progress, on_segment)
        async with self.slots.take():
            progress("decoding", 0.0)
            samples = await decode(
                source,
                max_audio_s=self._settings.max_audio_seconds,
                timeout_s=self._settings.decode_timeout_s,
            )
            progress("transcribing", 0.0)
            engine = await self.load()
            key = await self._in_thread(
                lambda _cancelled: transcript_key(samples, engine.engine, engine.model, options)
            )
            if known := load_transcript(await self._cache.get(key)):
                if on_segment:
                    for segment in known.segments:
                        on_segment(segment)
                return Result(known, None, 0.0, cached=True)
            result = await self._in_thread(
                lambda cancelled: self._read_segments(
                    engine, samples, options, progress, on_segment, cancelled
                )
            )
        await self._cache.put(key, dump_transcript(result.transcript))
        return result

    async def _fetch(self, source: Url) -> BinaryIO:
        return await fetch(
            source.url,
            max_bytes=self._settings.max_upload_bytes,
            timeout_s=self._settings.fetch_timeout_s,
            allow_private=self._settings.allow_private_urls,
        )

    def _read_segments(
        self,
        engine: Transcriber,
        samples: Samples,
        options: TranscribeOptions,
        progress: Progress,
        on_segment: OnSegment | None,
        cancelled: threading.Event,
    ) -> Result:
        """In a thread: decode segment by segment until the end, or until cancelled."""
        started = time.perf_counter()
        duration_s = len(samples) / SAMPLE_RATE_HZ
        work = engine.transcribe(samples, options)
        segments: list[Segment] = []
        with closing(work.segments):
            for segment in work.segments:
                segments.append(segment)
                progress("transcribing", min(1.0, segment.end_s / duration_s))
                if on_segment:
                    on_segment(segment)
                if cancelled.is_set():
                    break
                self.turns.give_way()
        transcript = Transcript(
            segments=tuple(segments),
            language=work.detected.code,
            duration_s=duration_s,
            engine=engine.engine,
            model=engine.model,
        )
        return Result(transcript, None, time.perf_counter() - started)

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


def text_segments(text: str) -> tuple[Segment, ...]:
    """Text without times as segments, one a line or sentence, so that insights can point at it.

    Joined by spaces they give the text back, but for its white space.
    """
    sentences = re.split(r"(?<=[.!?。！？])\s+|\n+", text.strip())
    found = (" ".join(sentence.split()) for sentence in sentences)
    return tuple(
        Segment(id=number, start_s=0.0, end_s=0.0, text=sentence)
        for number, sentence in enumerate(filter(None, found))
    )


def build_pipeline(settings: Settings) -> Pipeline:
    """The pipeline that the settings describe. Quick: the engine loads at first use."""
    return Pipeline(
        settings,
        LazyTranscriber(lambda: load_transcriber(settings)),
        load_insights(settings),
        load_cache(settings),
    )
