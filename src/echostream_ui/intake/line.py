"""A line of recordings: some are sent at a time, in the order in which they joined."""

import asyncio


class Line:
    """For use in one event loop."""

    def __init__(self, at_once: int) -> None:
        self._free = asyncio.Semaphore(at_once)

    def join(self) -> "Place":
        """Returns the last place. Whoever has it must `leave` it, or use it with `async with`."""
        return Place(self._free)


class Place:
    """`async with` waits for its turn, which lasts until the block ends."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._turn = asyncio.ensure_future(free.acquire())
        self._left = False

    async def __aenter__(self) -> None:
        try:
            await self._turn
        except BaseException:
            self.leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Lets the next one through. Does nothing if the place was left before."""
        if not self._left:
            self._left = True
            if not self._turn.cancel() and not self._turn.cancelled():
                self._free.release()
