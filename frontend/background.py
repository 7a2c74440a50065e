"""Work that goes on when its page is left, by name."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future


class Background:
    """At most one piece of work of each name at a time. Methods may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._work: dict[str, Future[None]] = {}

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Unless there is work of this name under way."""

        async def run() -> None:
            await work()

        with self._lock:
            known = self._work.get(name)
            if known is None or known.done():
                self._work[name] = asyncio.run_coroutine_threadsafe(run(), self._loop)

    def is_running(self, name: str) -> bool:
        work = self._work.get(name)
        return work is not None and not work.done()

    def take_error(self, name: str) -> BaseException | None:
        """What the last work of this name failed with; told once."""
        with self._lock:
            work = self._work.get(name)
            if work is None or not work.done():
                return None
            del self._work[name]
        return None if work.cancelled() else work.exception()

    async def aclose(self) -> None:
        """Cancel what is under way, and wait for its end. In the event loop."""
        left = [asyncio.wrap_future(work) for work in self._work.values() if not work.done()]
        for work in left:
            work.cancel()
        await asyncio.gather(*left, return_exceptions=True)
