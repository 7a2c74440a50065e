"""A live session and its client, which may disconnect and come back."""

import asyncio
import time
from dataclasses import dataclass, field

from echostream.streaming.client_session import ClientSession
from echostream.streaming.events import Event, Final, Listener, Partial


@dataclass(slots=True, eq=False)
class Live:
    """A session, with what a client needs to resume it."""

    owner: str
    audio_id: str
    name: str
    secret: str
    session: ClientSession
    places: int = 1
    """How many places in the engine it takes while its live text is not complete."""
    told_seq: int = 0
    told_end_to: Listener | None = None
    left_at: float | None = None
    ended_at: float | None = None
    taking_turns: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a piece is taken, so that a client that resumes learns of everything received."""
    telling: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def attach(self, listener: Listener, last_seq: int | None = None) -> None:
        """Sends events to `listener` from now on, in place of the previous one. First it gets the
        partials it has missed: those after `last_seq`, or after the last one that was sent."""
        async with self.telling:
            missed = self.session.told.partials[self.told_seq if last_seq is None else last_seq :]
            self.left_at = None
            self.session.told.listener = lambda event: self._tell(listener, event)
            for partial in missed:
                await listener(partial)
                self.told_seq = partial.seq
            if self.session.final.done() and not self.session.final.cancelled():
                self.told_end_to = listener
                await listener(self.session.final.result())

    def detach(self) -> None:
        """Called when the client disconnects. The session continues without it."""
        self.session.told.listener = None
        self.left_at = time.monotonic()

    async def _tell(self, listener: Listener, event: Event) -> None:
        async with self.telling:
            if isinstance(event, Partial):
                self.told_seq = max(self.told_seq, event.seq)
            elif isinstance(event, Final) and self.told_end_to is listener:
                return  # it attached while the session ended, and has the end already
            await listener(event)
