"""One place in the engine for several sessions of the same client."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

from echostream.diarization.base import Diarization
from echostream.domain import Segment, SpeakerOptions, TranscribeOptions
from echostream.engine import LivePlace, ModelState, Report, Samples, VadState
from echostream.engine.vad import FRAME_SAMPLES, Detected

T = TypeVar("T")


class Turn:
    """Lets the users of a place ask it one after the other, in the order in which they come."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._asking: asyncio.Task[Any] | None = None

    async def take(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Waits for the turn and the answer. If the caller is cancelled meanwhile, the answer is
        still received, as the next user would take it for its own."""
        await self._lock.acquire()
        self._asking = asking = asyncio.create_task(ask())
        asking.add_done_callback(self._end)
        return await asyncio.shield(asking)

    async def aclose(self) -> None:
        """Stops what is being asked. Nothing can be asked after this."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _end(self, asking: asyncio.Task[Any]) -> None:
        self._lock.release()
        if not asking.cancelled():
            asking.exception()  # read, so that asyncio does not report it as lost


class SharedPlace:
    """A `LivePlace` whose users take turns. Whoever looks for speech waits for no reading."""

    def __init__(
        self, place: LivePlace, turn: Turn, detecting: Turn, *, all_is_speech: bool = False
    ) -> None:
        """`detecting` is the turn of those who look for speech. With `all_is_speech`, the engine is
        not asked where speech is: it was found before."""
        self._place = place
        self._turn = turn
        self._detecting = detecting
        self._all_is_speech = all_is_speech

    @property
    def used(self) -> ModelState:
        return self._place.used

    async def read(
        self, samples: Samples, options: TranscribeOptions
    ) -> tuple[list[Segment], Report]:
        return await self._turn.take(lambda: self._place.read(samples, options))

    async def detect(self, samples: Samples, state: VadState) -> Detected:
        if self._all_is_speech:
            return Detected([1.0] * (len(samples) // FRAME_SAMPLES), state)
        return await self._detecting.take(lambda: self._place.detect(samples, state))

    async def load_diarizer(self) -> str:
        return await self._turn.take(self._place.load_diarizer)

    def diarize(
        self, samples: Samples, options: SpeakerOptions
    ) -> AsyncGenerator[float | Diarization, None]:
        return self._place.diarize(samples, options)

    def close(self) -> None:
        self._place.close()
