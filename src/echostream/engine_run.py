"""One recording on its way through the engine, from samples to a transcript."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress

from echostream.domain import (
    SAMPLE_RATE_HZ,
    Progress,
    Segment,
    Step,
    TranscribeOptions,
    Transcript,
    joined,
)
from echostream.engine import Heard, ModelState, Place, Report, Samples
from echostream.engine.vad import Region
from echostream.merging import merged_channels

_TELL_EVERY_S = 1.0
_TELL_SEGMENTS_EVERY_S = 0.2

OnSegment = Callable[[Segment], None]


class EngineRun:
    """The transcription of one recording, and its progress."""

    def __init__(
        self,
        place: Place,
        model: ModelState,
        channels: list[Samples],
        options: TranscribeOptions,
        on_segment: OnSegment | None,
        progress: Progress,
        *,
        speech: Sequence[Region] | None = None,
    ) -> None:
        """`speech` is where speech is in the only channel, if that is known."""
        self._place = place
        self._model = model
        self._progress = progress
        self._told_at = 0.0
        self._share = 0.0
        self._channels = channels
        self._options = options
        self._speech = speech
        self._on_segment = on_segment
        self._shown_s = 0.0
        self._done: list[Transcript] = []
        self._segments: list[Segment] = []
        self._report = Report()
        self._duration_s = max(len(samples) for samples in channels) / SAMPLE_RATE_HZ

    async def transcript(self) -> Transcript:
        """Transcribes segment by segment until the end. Cancelling it stops the engine."""
        async with self._told():
            return await self._read()

    async def _read(self) -> Transcript:
        for samples in self._channels:
            self._shown_s = 0.0
            heard_in = self._place.transcribe(samples, self._options, self._speech)
            async with aclosing(heard_in) as found:
                async for heard in found:
                    self._take(heard)
            self._done.append(self._transcript())
            self._segments, self._report = [], Report()
        return self._done[0] if len(self._channels) == 1 else merged_channels(self._done)

    def _take(self, heard: Heard) -> None:
        if heard.starts_over:
            self._segments = []
        self._report = heard.report
        for segment in heard.segments:
            self._segments.append(segment)
            # If the engine starts over, segments that were already shown are not shown again.
            if self._on_segment and segment.end_s > self._shown_s:
                self._shown_s = segment.end_s
                self._on_segment(segment)
            self.tell(_TELL_SEGMENTS_EVERY_S)

    def _transcript(self) -> Transcript:
        return Transcript(
            segments=tuple(self._segments),
            language=self._report.language,
            duration_s=self._duration_s,
            engine=self._model.engine,
            model=self._model.model,
            languages=self._report.languages,
            warnings=tuple(self._report.warnings),
        )

    def tell(self, every_s: float = 0.0) -> None:
        """Reports the progress, unless the last report is less than `every_s` old."""
        now = time.monotonic()
        if now - self._told_at >= every_s:
            self._told_at = now
            self._progress(self._step())

    def _step(self) -> Step:
        """Measures progress by audio length. The share never falls, although estimates may."""
        report = self._report
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
    async def _told(self) -> AsyncIterator[None]:
        """Reports progress regularly until the end, because one batch takes long."""

        async def tell() -> None:
            while True:
                await asyncio.sleep(_TELL_EVERY_S)
                self.tell()

        telling = asyncio.create_task(tell())
        try:
            yield
            self.tell()
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
