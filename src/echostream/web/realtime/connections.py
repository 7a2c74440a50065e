"""The realtime clients of this process, from their first message to their last."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from echostream.errors import AudioTooLong, SessionExpired, Unauthorized
from echostream.streaming import Items
from echostream.web.keyring import Caller
from echostream.web.realtime.conversation import Conversation
from echostream.web.realtime.inbox import Inbox

Receive = Callable[[], Awaitable[str | bytes | None]]

_NORMAL, _POLICY_VIOLATION, _SERVICE_RESTART = 1000, 1008, 1012


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ends: the code to close it with, None if the client has left, and the code
    of the error, if there was one."""

    close_code: int | None
    error: str = ""


class Connection:
    """One client. `receive` gives its messages, and None once it has left."""

    def __init__(
        self,
        caller: Caller,
        conversation: Conversation,
        items: Items,
        receive: Receive,
        *,
        idle_s: float,
    ) -> None:
        self.caller = caller
        self._conversation = conversation
        self._items = items
        self._receive = receive
        self._idle_s = idle_s
        self._inbox = Inbox()
        self._cut = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self) -> Ending:
        """Serves the client to its end. Nothing is left of its session then."""
        reading = asyncio.create_task(self._read())
        working = asyncio.create_task(self._work())
        cut = asyncio.create_task(self._cut.wait())
        tasks = (reading, working, cut)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return await working
            return Ending(_POLICY_VIOLATION, Unauthorized.code) if cut.done() else Ending(None)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._items.aclose()
            self.ended.set()

    async def stop(self) -> None:
        """Lets the session end once everything that was received has been transcribed."""
        await self._inbox.close()

    def cut(self) -> None:
        """Ends the session at once, whatever it is doing."""
        self._cut.set()

    async def _read(self) -> None:
        while (message := await self._receive()) is not None:
            await self._inbox.put(message)

    async def _work(self) -> Ending:
        await self._conversation.start()
        ending = await self._converse()
        await self._items.finish()
        return ending

    async def _converse(self) -> Ending:
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        while not self._conversation.is_full:
            try:
                async with asyncio.timeout_at(heard_at + self._idle_s):
                    message = await self._inbox.get()
            except TimeoutError:
                error = SessionExpired(f"no audio came for {self._idle_s:.0f} s")
                await self._conversation.tell_error(error)
                return Ending(_NORMAL, error.code)
            if message is None:
                return Ending(_SERVICE_RESTART)
            if await self._conversation.take(message):
                heard_at = loop.time()
        return Ending(_NORMAL, AudioTooLong.code)


class Connections:
    """All that are open."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    async def run(self, connection: Connection) -> Ending:
        """Serves one, which counts as open meanwhile."""
        self._open.add(connection)
        try:
            return await connection.run()
        finally:
            self._open.discard(connection)

    def end(self, is_over: Callable[[Caller], bool]) -> None:
        """Ends the connections of clients for which it is true."""
        for each in self._open:
            if is_over(each.caller):
                each.cut()

    async def finish_all(self, within_s: float) -> None:
        """Ends all sessions and waits for their results, because the process is about to stop."""
        waiting = [asyncio.create_task(each.ended.wait()) for each in self._open]
        for each in list(self._open):
            await each.stop()
        if waiting:
            await asyncio.wait(waiting, timeout=within_s)
        for task in waiting:
            task.cancel()
