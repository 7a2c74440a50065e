"""Reports a job's progress: the latest step, a few times a second, from a separate task that never
delays the work."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from echostream.domain import Progress, Step
from echostream.job_events import JobAnnouncer, JobNews
from echostream.jobs import SoFar
from echostream.jobs.active import ActiveJob

_TELL_EVERY_S = 0.25
_TEXT_EVERY_S = 1.0
_TEXT_CHARS_A_S = 50_000
"""Each time the whole text is stored. Four hours of speech have about 200,000 characters, too much
to store every second; at this rate they are stored every four seconds."""


@asynccontextmanager
async def reporting(job: ActiveJob, announcer: JobAnnouncer) -> AsyncIterator[Progress]:
    """A progress callback for any thread, which reports to the queue and to listeners.

    Without it, Redis would be called for every segment, and a slow Redis would slow down the work.
    """
    loop = asyncio.get_running_loop()
    teller = _Teller(job, announcer)
    telling = asyncio.create_task(teller.run())

    def note(step: Step) -> None:
        loop.call_soon_threadsafe(teller.note, step)

    try:
        yield note
    finally:
        teller.ended.set()
        await telling


class _Teller:
    """Holds the latest step of an attempt and what has already been reported."""

    def __init__(self, job: ActiveJob, announcer: JobAnnouncer) -> None:
        self._job = job
        self._announcer = announcer
        self._percent = 0
        self._so_far = SoFar()
        self._told = SoFar()
        # None: not even the empty text is stored yet, but that of an earlier attempt may be.
        self._told_text: str | None = None
        self._text_due_s = 0.0
        # An event ends the task, because redis-py can swallow a cancellation.
        self.ended = asyncio.Event()

    def note(self, step: Step) -> None:
        """Runs in the event loop's thread. Only steps of transcription have text."""
        self._percent = max(self._percent, step.percent)
        left_s = None if step.left_s is None else max(0, round(step.left_s))
        self._so_far = SoFar(step.stage, left_s, step.text or self._so_far.text)

    async def run(self) -> None:
        while not self.ended.is_set():
            await self._tell()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), _TELL_EVERY_S)

    async def _tell(self) -> None:
        """Reports what is new. The text is only stored with the job; listeners just learn that it
        has grown."""
        so_far = self._so_far
        with_text = so_far.text != self._told_text and time.monotonic() >= self._text_due_s
        moved = await self._job.tell_progress(self._percent)
        beside = (so_far.stage, so_far.left_s)
        if not (moved or with_text or beside != (self._told.stage, self._told.left_s)):
            return
        is_kept = await self._job.keep_so_far(so_far, with_text=with_text)
        if with_text and so_far.text:
            pause_s = max(_TEXT_EVERY_S, len(so_far.text) / _TEXT_CHARS_A_S)
            self._text_due_s = time.monotonic() + pause_s
        if with_text and is_kept:
            self._told_text = so_far.text
        self._told = so_far
        await self._announcer.tell(
            JobNews(
                self._job.job_id,
                self._job.progress,
                so_far.stage,
                so_far.left_s,
                has_new_text=with_text and is_kept,
            )
        )
