"""The speech engine in another process, which may end at any time and is restarted."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from echostream.diarization.base import Diarization
from echostream.domain import Segment, SpeakerOptions, TranscribeOptions, Voice
from echostream.engine.base import Report, Samples
from echostream.engine.service import EngineState, Heard, LivePlace, ModelState, Place
from echostream.engine.vad import Detected, VadState
from echostream.engine.wire import (
    Detect,
    Diarize,
    DiarizerReady,
    Done,
    Embed,
    Embedded,
    Get,
    Kept,
    Live,
    Load,
    Prepare,
    PrepareDiarizer,
    Put,
    Read,
    ReadOnce,
    Take,
    Transcribe,
    Watch,
)
from echostream.errors import EchoStreamError, EngineAway, EngineRestarted, ServerBusy
from echostream.links import Link, answered

log = structlog.get_logger(__name__)

_START_S = 60.0
"""How long to wait for an engine that is being started."""
_TRY_EVERY_S = 0.1
_ATTEMPTS = 2
"""Per recording. If the engine ends twice, the recording is probably the reason."""
_LIVE_ATTEMPTS = 5


class RemoteEngine:
    """The engine that answers at a Unix socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._state = EngineState()
        self._watching: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None

    @property
    def state(self) -> EngineState:
        return self._state

    @property
    def socket(self) -> Path | None:
        return self._socket

    async def start(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    def warm_up(self) -> None:
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self._load_quietly())

    async def load(self) -> EngineState:
        link = await self._connect()
        try:
            await link.send(Load())
            state: EngineState = answered(await link.receive())
        except OSError as error:
            raise restarted() from error
        finally:
            link.close()
        self._state = state
        return state

    async def voice(self, samples: Samples) -> Voice | None:
        link = await self._connect()
        try:
            await link.send(Embed(samples))
            embedded: Embedded = answered(await link.receive())
        except OSError as error:
            raise restarted() from error
        finally:
            link.close()
        return embedded.voice

    def check(self) -> None:
        if self._state.is_full:
            raise ServerBusy("every place in the queue is taken; try again soon", retry_after_s=5)

    @asynccontextmanager
    async def take(self, *, patient: bool = False) -> AsyncIterator[Place]:
        place = _RemotePlace(self, await self.ask(Take(patient)))
        try:
            yield place
        finally:
            place.close()

    async def live(self, options: TranscribeOptions) -> LivePlace:
        return _RemoteLive(self, options, await self.ask(Live(options)))

    async def aclose(self) -> None:
        tasks = [task for task in (self._watching, self._warming) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ask(self, first: object) -> Link:
        """A connection whose first request was granted. Raises the error if it was refused, or
        EngineRestarted."""
        for _ in range(_LIVE_ATTEMPTS):
            link = await self._connect()
            try:
                await link.send(first)
                answered(await link.receive())
            except OSError:
                link.close()
            except BaseException:
                link.close()
                raise
            else:
                return link
        raise restarted(EngineAway)

    async def _connect(self) -> Link:
        """Connects; waits for an engine that is being started."""
        try:
            async with asyncio.timeout(_START_S):
                while True:
                    with suppress(OSError):
                        return Link(*await asyncio.open_unix_connection(self._socket))
                    await asyncio.sleep(_TRY_EVERY_S)
        except TimeoutError:
            raise restarted(EngineAway) from None

    async def _watch(self) -> None:
        while True:
            with suppress(OSError, EngineRestarted):
                link = await self._connect()
                try:
                    await link.send(Watch())
                    while True:
                        self._state = answered(await link.receive())
                finally:
                    link.close()
                    # The restarted engine will be the same, but nothing waits for it any more.
                    self._state = replace(self._state, waiting=0, is_full=False)

    async def _load_quietly(self) -> None:
        with suppress(EchoStreamError):
            await self.load()


class HostCache:
    """The cache in the engine's process, shared by all processes of a machine. Any error counts as
    a miss."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def get(self, key: str) -> bytes | None:
        answer = await self._ask(Get(key))
        return answer.value if isinstance(answer, Kept) else None

    async def put(self, key: str, value: bytes) -> None:
        await self._ask(Put(key, value))

    async def aclose(self) -> None:
        """Holds nothing to close."""

    async def _ask(self, question: object) -> object:
        try:
            link = Link(*await asyncio.open_unix_connection(self._socket))
        except OSError:
            return None
        try:
            await link.send(question)
            answer: object = await link.receive()
        except OSError:
            return None
        finally:
            link.close()
        return answer


class _Connected:
    """A place that lasts as long as its connection. If the engine ends, it takes another one."""

    attempts = _ATTEMPTS
    """How often something is asked for before it counts as the reason why the engine ends."""
    lost = "engine_lost"
    """What is logged when the engine ends."""

    def __init__(self, engine: RemoteEngine, first: object, link: Link) -> None:
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
                await self._link.send(Diarize(samples, options))
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


class _RemotePlace(_Connected):
    def __init__(self, engine: RemoteEngine, link: Link) -> None:
        # It had a place before, so it must not be refused one later.
        super().__init__(engine, Take(patient=True), link)

    async def load(self, options: TranscribeOptions) -> ModelState:
        state: ModelState = await self._ask(Prepare(options))
        return state

    async def transcribe(
        self, samples: Samples, options: TranscribeOptions
    ) -> AsyncGenerator[Heard, None]:
        for _ in range(_ATTEMPTS):
            try:
                await self._link.send(Transcribe(samples, options))
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


class _RemoteLive(_Connected):
    """A live session's place. The session keeps its audio, so a reading can be repeated."""

    attempts = _LIVE_ATTEMPTS
    lost = "engine_lost_live"

    def __init__(self, engine: RemoteEngine, options: TranscribeOptions, link: Link) -> None:
        super().__init__(engine, Live(options), link)
        self._options = options
        self._used: ModelState | None = None

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
        detected: Detected = await self._ask(Detect(samples, state))
        return detected


def restarted(kind: type[EngineRestarted] = EngineRestarted) -> EngineRestarted:
    return kind("the speech engine stopped unexpectedly and is being restarted", retry_after_s=5)
