"""The engine of this process, as used by one live session."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import closing

from echostream.diarization.base import Diarization
from echostream.domain import Segment, SpeakerOptions, TranscribeOptions
from echostream.engine.base import Report, Samples
from echostream.engine.diarizer import SharedDiarizer
from echostream.engine.registry import Registry
from echostream.engine.service import ModelState
from echostream.engine.turns import Turns
from echostream.engine.vad import Detected, VadState, detect_speech


class LiveEngine:
    """Reads short stretches of audio. Files wait meanwhile."""

    def __init__(
        self,
        models: Registry,
        turns: Turns,
        diarizer: SharedDiarizer,
        *,
        model: str | None = None,
        on_close: Callable[[], object] = lambda: None,
    ) -> None:
        """Uses `model`, or the default model if it is None."""
        self._models = models
        self._used = models.named(model)
        self._turns = turns
        self._diarizer = diarizer
        self._on_close: Callable[[], object] | None = on_close

    async def read(
        self, samples: Samples, options: TranscribeOptions
    ) -> tuple[list[Segment], Report]:
        """See `LivePlace.read`."""
        if not self._models.named(options.model).is_loaded:
            # Outside a turn, because all other live sessions would wait for the load.
            await asyncio.wrap_future(self._models.start_loading(options.model))
        return await self._turns.live(lambda: self._read(samples, options))

    async def detect(self, samples: Samples, state: VadState) -> Detected:
        """See `LivePlace.detect`. Takes no turn: waiting for one would take longer than this."""
        return await self._turns.short(lambda: detect_speech(samples, state))

    async def load_diarizer(self) -> str:
        """See `Speakers.load_diarizer`."""
        return await self._diarizer.load()

    def diarize(
        self, samples: Samples, options: SpeakerOptions
    ) -> AsyncGenerator[float | Diarization, None]:
        """See `Speakers.diarize`."""
        return self._diarizer.diarize(samples, options)

    def _read(self, samples: Samples, options: TranscribeOptions) -> tuple[list[Segment], Report]:
        with self._models.use(options, live=True) as transcriber:
            self._used = self._models.named(options.model)
            work = transcriber.transcribe(samples, options, live=True)
            with closing(work.segments):
                return list(work.segments), work.report

    def close(self) -> None:
        """Gives the place back. Closing again does nothing."""
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    @property
    def used(self) -> ModelState:
        """The model that was used, even if unloaded since; before that, its current state."""
        return self._used if self._used.is_loaded else self._models.named(self._used.name)
