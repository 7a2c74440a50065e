"""The speech engine in another process, which may end at any time and is restarted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from echostream.domain import TranscribeOptions, Voice
from echostream.engine.base import Samples
from echostream.engine.remote_places import (
    LIVE_ATTEMPTS,
    RemoteLive,
    RemotePlace,
    RemoteSpare,
    restarted,
)
from echostream.engine.service import EngineState, LivePlace, Place
from echostream.engine.wire import Embed, Embedded, Live, Load, Spare, Take, Watch
from echostream.errors import EchoStreamError, EngineAway, EngineRestarted, ServerBusy
from echostream.links import Link, answered

_START_S = 60.0
"""How long to wait for an engine that is being started."""
_TRY_EVERY_S = 0.1


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
        # It had a place before if it asks again, so it must not be refused one then.
        place = RemotePlace(self, Take(patient=True), await self.ask(Take(patient)))
        try:
            yield place
        finally:
            place.close()

    @asynccontextmanager
    async def spare(self) -> AsyncIterator[Place]:
        place = RemoteSpare(self, Spare(), await self.ask(Spare()))
        try:
            yield place
        finally:
            place.close()

    async def live(self, options: TranscribeOptions) -> LivePlace:
        return RemoteLive(self, options, await self.ask(Live(options)))

    async def aclose(self) -> None:
        tasks = [task for task in (self._watching, self._warming) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ask(self, first: object) -> Link:
        """A connection whose first request was granted. Raises the error if it was refused, or
        EngineAway."""
        for _ in range(LIVE_ATTEMPTS):
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
