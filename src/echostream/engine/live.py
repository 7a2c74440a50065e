"""The engine of this process as one of its live sessions sees it."""

import asyncio
from collections.abc import Callable
from contextlib import closing

from echostream.domain import Segment, TranscribeOptions
from echostream.engine.base import Report, Samples
from echostream.engine.lazy import LazyTranscriber
from echostream.engine.turns import Turns
from echostream.engine.vad import Detected, VadState, detect_speech


class LiveEngine:
    """Reads short stretches of audio, each in a turn of its own."""

    def __init__(
        self,
        transcriber: LazyTranscriber,
        turns: Turns,
        *,
        on_close: Callable[[], object] = lambda: None,
    ) -> None:
        self._transcriber = transcriber
        self._turns = turns
        self._on_close: Callable[[], object] | None = on_close

    async def read(
        self, samples: Samples, options: TranscribeOptions
    ) -> tuple[list[Segment], Report]:
        """As `LivePlace.read`."""
        return await self._turns.live(lambda: self._read(samples, options))

    async def detect(self, samples: Samples, state: VadState) -> Detected:
        """As `LivePlace.detect`; without a turn, which would take longer than this does."""
        return await asyncio.to_thread(detect_speech, samples, state)

    def _read(self, samples: Samples, options: TranscribeOptions) -> tuple[list[Segment], Report]:
        work = self._transcriber.get().transcribe(samples, options)
        with closing(work.segments):
            return list(work.segments), work.report

    def close(self) -> None:
        """Give the place back; a second time does nothing."""
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    @property
    def name(self) -> str:
        """Of the engine; `none` until it is loaded."""
        loaded = self._transcriber.loaded
        return loaded.engine if loaded else "none"

    @property
    def model(self) -> str:
        loaded = self._transcriber.loaded
        return loaded.model if loaded else "none"
