"""Live audio is read once more, as that of a file: what is finished while somebody still speaks, as
far as the engine has nothing else to do, and the rest at the end."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import structlog

from echostream.domain import (
    SAMPLE_RATE_HZ,
    Progress,
    Step,
    TranscribeOptions,
    Transcript,
    joined,
)
from echostream.engine import Engine, Place, Samples
from echostream.engine_run import EngineRun
from echostream.errors import EchoStreamError
from echostream.scripts import space_between
from echostream.streaming.kept import KeptAudio
from echostream.streaming.parts import moved, whole
from echostream.streaming.stretches import Stretch, Stretches

log = structlog.get_logger(__name__)


class FinalPass:
    """That of one session. Nothing is read ahead if it has several channels: then nobody calls
    `look`."""

    def __init__(self, engine: Engine, kept: KeptAudio, options: TranscribeOptions) -> None:
        self._engine = engine
        self._kept = kept
        self._options = options
        self._stretches = Stretches()
        self._parts: list[Transcript] = []
        self._ahead: asyncio.Task[None] | None = None
        self._is_reading = False
        self._may_begin = True

    def look(self, chances: Sequence[float]) -> None:
        """Takes the speech probability of each of the next frames, whose audio is kept already."""
        self._stretches.look(chances)
        is_at_work = self._ahead is not None and not self._ahead.done()
        if self._may_begin and self._stretches.finished and not is_at_work:
            self._ahead = asyncio.create_task(self._read_ahead())

    async def read_rest(self, place: Place, progress: Progress) -> Transcript:
        """The transcript of all audio. Raises EchoStreamError. Call it once, after the end."""
        await self._stop_reading_ahead()
        rest = self._stretches.rest(self._kept.count)
        samples = await asyncio.to_thread(self._kept.samples, rest.audio.start, rest.audio.end)
        done = rest.audio.start / rest.audio.end
        before = joined(chain.from_iterable(part.segments for part in self._parts))

        def tell(step: Step) -> None:
            space = " " if space_between(before, step.text) else ""
            share = done + (1 - done) * step.share
            progress(replace(step, share=share, text=f"{before}{space}{step.text}"))

        progress(Step("transcribing", done, before))
        await self._read(place, samples, rest, tell)
        return whole(self._parts)

    async def aclose(self) -> None:
        """Stops at once."""
        self._is_reading = False
        await self._stop_reading_ahead()

    async def _stop_reading_ahead(self) -> None:
        """What is being read is read to its end, which the engine does anyway."""
        self._may_begin = False
        if self._ahead is not None:
            if not self._is_reading:
                self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)

    async def _read_ahead(self) -> None:
        """Reads what is finished. What fails may have ended the engine, so it and what follows are
        left for the end."""
        try:
            while self._may_begin and self._stretches.finished:
                await self._read_when_idle(self._stretches.finished[0])
        except EchoStreamError as error:
            self._may_begin = False
            log.warning("not_read_ahead", reason=str(error))
        except Exception as error:
            self._may_begin = False
            log.error("reading_ahead_crashed", exc_info=error)

    async def _read_when_idle(self, stretch: Stretch) -> None:
        async with self._engine.spare() as place:
            self._is_reading = True
            try:
                samples = self._kept.samples(stretch.audio.start, stretch.audio.end)
                await self._read(place, samples, stretch, lambda _step: None)
                self._stretches.finished.popleft()
            finally:
                self._is_reading = False

    async def _read(
        self, place: Place, samples: Samples, stretch: Stretch, progress: Progress
    ) -> None:
        """Adds the transcript of a stretch. Several channels are read one after the other, as those
        of a file."""
        language = whole(self._parts).language if self._parts else "und"
        options = self._options
        if language != "und":
            options = replace(options, expected_language=language)
        model = await place.load(options)
        channels = list(np.atleast_2d(samples))
        run = EngineRun(place, model, channels, options, None, progress, speech=stretch.speech)
        self._parts.append(moved(await run.transcript(), stretch.audio.start / SAMPLE_RATE_HZ))
