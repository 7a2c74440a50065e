"""Places in an engine of another process. Each lasts as long as its connection."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

import structlog

from echostream import traces
from echostream.diarization.base import Diarization
from echostream.domain import Segment, SpeakerOptions, TranscribeOptions, Voice
from echostream.engine.base import Report, Samples
from echostream.engine.service import EngineState, Heard, ModelState
from echostream.engine.vad import Detected, Region, VadState
from echostream.engine.wire import (
    Detect,
    Diarize,
    DiarizerReady,
    Done,
    Embed,
    Embedded,
    Listen,
    Live,
    Prepare,
    PrepareDiarizer,
    Read,
    ReadOnce,
    Transcribe,
)
from echostream.errors import EngineRestarted
from echostream.links import Link, answered

log = structlog.get_logger(__name__)

_ATTEMPTS = 2
"""Per recording. If the engine ends twice, the recording is probably the reason."""
LIVE_ATTEMPTS = 5


class Asked(Protocol):
    """An engine that can be asked for a place."""

    @property
    def state(self) -> EngineState: ...

    async def ask(self, first: object) -> Link:
        """A connection whose first request was granted. Raises the error if it was refused, or
        EngineAway."""


class _Connected:
    """A place that lasts as long as its connection. If the engine ends, it takes another one."""

    attempts = _ATTEMPTS
    """How often something is asked for before it counts as the reason why the engine ends."""
    lost = "engine_lost"
    """What is logged when the engine ends."""

    def __init__(self, engine: Asked, first: object, link: Link) -> None:
        """`first` is the request that was granted on `link`, and is asked for again."""
        self._engine = engine
        self._first = first
        self._link = link

    def close(self) -> None:
        self._link.close()

    async def load_diarizer(self) -> str:
        ready: DiarizerReady = await self._ask(PrepareDiarizer())
        return ready.model

    async def diarize(
        self, samples: Samples, options: SpeakerOptions
    ) -> AsyncGenerator[float | Diarization, None]:
        for _ in range(_ATTEMPTS):
            try:
                await self._link.send(Diarize(samples, options, traces.carrier()))
                while not isinstance(found := answered(await self._link.receive()), Diarization):
                    yield found
            except OSError:
                await self._take_again()
            else:
                yield found
                return
        raise restarted()

    async def _ask(self, question: object) -> Any:
        for _ in range(self.attempts):
            try:
                await self._link.send(question)
                return answered(await self._link.receive())
            except OSError:
                await self._take_again()
        raise restarted()

    async def _take_again(self) -> None:
        log.warning(self.lost)
        self._link.close()
        self._link = await self._engine.ask(self._first)


class RemotePlace(_Connected):
    async def load(self, options: TranscribeOptions) -> ModelState:
        state: ModelState = await self._ask(Prepare(options))
        return state

    async def transcribe(
        self,
        samples: Samples,
        options: TranscribeOptions,
        speech: Sequence[Region] | None = None,
    ) -> AsyncGenerator[Heard, None]:
        for _ in range(self.attempts):
            try:
                await self._link.send(Transcribe(samples, options, speech, traces.carrier()))
                while not isinstance(heard := answered(await self._link.receive()), Done):
                    yield heard
            except OSError:
                await self._take_again()
                yield Heard((), Report(), starts_over=True)
            else:
                return
        raise restarted()

    async def voice(self, samples: Samples) -> Voice | None:
        embedded: Embedded = await self._ask(Embed(samples))
        return embedded.voice


class RemoteSpare(RemotePlace):
    """For work that can wait. It is not tried again: it may be why the engine has ended."""

    async def _take_again(self) -> None:
        raise restarted()


class RemoteEars(_Connected):
    """Finds speech for one live session, on a connection that no reading keeps busy."""

    attempts = LIVE_ATTEMPTS
    lost = "engine_lost_live"

    async def detect(self, samples: Samples, state: VadState) -> Detected:
        detected: Detected = await self._ask(Detect(samples, state))
        return detected


class RemoteLive(_Connected):
    """A live session's place. The session keeps its audio, so a reading can be repeated."""

    attempts = LIVE_ATTEMPTS
    lost = "engine_lost_live"

    def __init__(self, engine: Asked, options: TranscribeOptions, link: Link) -> None:
        super().__init__(engine, Live(options, again=True), link)
        self._options = options
        self._used: ModelState | None = None
        self._ears: RemoteEars | None = None

    def close(self) -> None:
        super().close()
        if self._ears is not None:
            self._ears.close()

    @property
    def used(self) -> ModelState:
        return self._used or self._engine.state.named(self._options.model)

    async def read(
        self, samples: Samples, options: TranscribeOptions
    ) -> tuple[list[Segment], Report]:
        answer: ReadOnce = await self._ask(Read(samples, options))
        self._used = answer.used
        return answer.segments, answer.report

    async def detect(self, samples: Samples, state: VadState) -> Detected:
        if self._ears is None:
            self._ears = RemoteEars(self._engine, Listen(), await self._engine.ask(Listen()))
        return await self._ears.detect(samples, state)


def restarted(kind: type[EngineRestarted] = EngineRestarted) -> EngineRestarted:
    return kind("the speech engine stopped unexpectedly and is being restarted", retry_after_s=5)
