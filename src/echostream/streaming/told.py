"""What the client of a live session has been told."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from echostream.streaming.events import Event, Label, Listener, Partial
from echostream.streaming.reader import Reading


class Told:
    """Passes events on to the client, whoever that is at the moment, and remembers the text."""

    def __init__(self, observe: Callable[[Event], None]) -> None:
        """`observe` gets all events, whether or not a client listens."""
        self._observe = observe
        self._tentative = ""
        self._telling: set[asyncio.Task[None]] = set()
        self.listener: Listener | None = None
        self.partials: list[Partial] = []
        """All partials with text, for a client that resumes."""

    @property
    def text(self) -> str:
        """That of all partials."""
        return "".join(partial.text for partial in self.partials)

    async def tell(self, event: Event) -> None:
        """Returns when the client has been told."""
        self._observe(event)
        if self.listener is not None:
            await self.listener(event)

    def tell_soon(self, event: Event) -> None:
        """Does not wait for the client."""
        task = asyncio.create_task(self.tell(event))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def tell_reading(self, reading: Reading, lag_ms: int) -> Partial:
        """Tells the result of a reading; returns what was told."""
        partial = Partial(
            text=reading.text,
            start_s=reading.start_s,
            end_s=reading.end_s,
            seq=len(self.partials) + bool(reading.text),
            tentative=reading.tentative,
            lag_ms=lag_ms,
        )
        self._tentative = reading.tentative
        await self.tell_partial(partial)
        return partial

    async def tell_partial(self, partial: Partial) -> None:
        """Tells one whose `seq` follows that of those with text before it."""
        if partial.text:
            self.partials.append(partial)
        await self.tell(partial)

    async def tell_label(self, label: Label) -> None:
        """Tells who spoke in an earlier partial, with one that has no text."""
        labelled = replace(self.partials[label.seq - 1], labels=(label,))
        self.partials[label.seq - 1] = labelled
        await self.tell(
            replace(labelled, text="", seq=len(self.partials), tentative=self._tentative)
        )

    async def all_told(self) -> None:
        """Waits until all events have been passed on."""
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def aclose(self) -> None:
        """Drops what has not been passed on."""
        for task in self._telling:
            task.cancel()
        await self.all_told()
