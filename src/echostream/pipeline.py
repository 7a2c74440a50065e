"""Source to decoded audio to transcript to insights: the one path that every entry point takes."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import structlog

from echostream.asr import LazyTranscriber, Samples, Transcriber, load_transcriber
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

    `transcribe_s` is the wall time of the engine alone, for the real-time factor.
    """

    transcript: Transcript
    insights: Insights | None
    transcribe_s: float


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
    ) -> None:
        self._settings = settings
        self._insights = insights
        self.transcriber = transcriber
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
        transcript, transcribe_s = await self._transcribe(source, options, progress, on_segment)
        found = await self.analyse(transcript, progress) if insights else None
        progress("done", 1.0)
        return Result(transcript, found, transcribe_s)

    async def analyse(
        self, transcript: Transcript, progress: Progress = ignore_progress
    ) -> Insights | None:
        """Insights into a transcript; None when INSIGHTS_PROVIDER is `none`."""
        if self._insights is None:
            return None
        progress("analysing", 0.0)
        return await self._insights.analyse(transcript)

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
        self.transcriber.close()
        if self._insights is not None:
            await self._insights.aclose()

    async def _transcribe(
        self,
        source: Source,
        options: TranscribeOptions,
        progress: Progress,
        on_segment: OnSegment | None,
    ) -> tuple[Transcript, float]:
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
            return await self._in_thread(
                lambda cancelled: self._read_segments(
                    samples, options, progress, on_segment, cancelled
                )
            )

    async def _fetch(self, source: Url) -> BinaryIO:
        return await fetch(
            source.url,
            max_bytes=self._settings.max_upload_bytes,
            timeout_s=self._settings.fetch_timeout_s,
            allow_private=self._settings.allow_private_urls,
        )

    def _read_segments(
        self,
        samples: Samples,
        options: TranscribeOptions,
        progress: Progress,
        on_segment: OnSegment | None,
        cancelled: threading.Event,
    ) -> tuple[Transcript, float]:
        """In a thread: decode segment by segment until the end, or until cancelled."""
        engine = self.transcriber.get()
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
        transcript = Transcript(
            segments=tuple(segments),
            language=work.detected.code,
            duration_s=duration_s,
            engine=engine.engine,
            model=engine.model,
        )
        return transcript, time.perf_counter() - started

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


def build_pipeline(settings: Settings) -> Pipeline:
    """The pipeline that the settings describe. Quick: the engine loads at first use."""
    return Pipeline(
        settings,
        LazyTranscriber(lambda: load_transcriber(settings)),
        load_insights(settings),
    )
