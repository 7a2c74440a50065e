"""The live recordings of this process: starts them, finds them again, and stops them at the end."""

import asyncio
import logging

from echostream_ui.live.session import Ended, LiveSession, Target, Wanted

log = logging.getLogger(__name__)

_GRACE_S = 30.0
"""How long a recording waits for a browser whose connection broke."""


class LiveSessions:
    """The live recordings that are running in this process or have just ended."""

    def __init__(self, target: Target, *, grace_s: float = _GRACE_S) -> None:
        self.grace_s = grace_s
        self._target = target
        self._sessions: dict[str, LiveSession] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, wanted: Wanted, suffix: str) -> LiveSession:
        """Starts a recording. Raises OSError if it cannot be written to the disk, or StoreError."""
        intake = self._target.intake
        media_id, audio = await asyncio.to_thread(
            intake.add_live, wanted.store, wanted.name, wanted.title, suffix, wanted.request
        )
        session = LiveSession(media_id, wanted, audio, self._target)
        self._sessions[session.secret] = session
        task = asyncio.create_task(self._run(session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return session

    def find(self, secret: str) -> LiveSession | None:
        """Returns the session of a browser that reconnects, even if it has ended meanwhile."""
        return self._sessions.get(secret)

    async def aclose(self) -> None:
        """Stops. The next run of the frontend continues with what was recorded."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, session: LiveSession) -> None:
        try:
            await session.run()
        except Exception:  # e.g. a full disk: the audio stays staged for the next run
            log.exception("a live recording could not be handed over")
            session.end(Ended("later"))
        loop = asyncio.get_running_loop()
        loop.call_later(self.grace_s, self._sessions.pop, session.secret, None)
