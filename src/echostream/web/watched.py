"""Work whose progress a client watches: events `progress`, then `done` with the whole answer."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import TypeVar

from fastapi import Request

from echostream.domain import Progress, Step
from echostream.web.events import EVENT_STREAM, sse
from echostream.web.work import with_request

T = TypeVar("T")

_FIRST_S = 0.5
"""Work that fails at once, because the server is busy for example, is an ordinary error."""
_PAUSE_S = 0.5
_TEXT_CHARS_A_S = 100_000
"""Each event has the whole text so far, so the pause grows with the text."""
_BEAT_S = 10.0
"""Without news the last event is sent again, so that nothing in between takes the connection for
dead."""


def is_wanted(request: Request) -> bool:
    return EVENT_STREAM in request.headers.get("accept", "")


async def watched(
    request: Request,
    work: Callable[[Progress], Coroutine[object, object, T]],
    answer: Callable[[T], Coroutine[object, object, str]],
) -> AsyncGenerator[str]:
    """Yields events until the work is done. Closing this cancels the work, and so does a client
    that leaves. Raises what the work raises."""
    latest = _Latest()
    run = asyncio.create_task(with_request(request, work(latest.take)))
    try:
        await asyncio.wait({run}, timeout=_FIRST_S)
        while not run.done():
            latest.is_new.clear()
            event, text = latest.event()
            yield event
            pause_s = _PAUSE_S + len(text) / _TEXT_CHARS_A_S
            await asyncio.wait({run}, timeout=pause_s)
            await _either(run, latest.is_new, _BEAT_S)
        yield sse("done", await answer(run.result()))
    finally:
        run.cancel()
        await asyncio.wait({run})


async def _either(run: "asyncio.Task[T]", news: asyncio.Event, timeout_s: float) -> None:
    if run.done() or news.is_set():
        return
    told = asyncio.create_task(news.wait())
    await asyncio.wait({run, told}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()


class _Latest:
    """The latest step of the work. Without one, it waits for its turn."""

    def __init__(self) -> None:
        self.is_new = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._step: Step | None = None
        self._percent = 0
        self._text = ""

    def take(self, step: Step) -> None:
        """May be called from any thread."""
        self._loop.call_soon_threadsafe(self._keep, step)

    def _keep(self, step: Step) -> None:
        self._step = step
        self._percent = max(self._percent, step.percent)
        self._text = step.text or self._text
        self.is_new.set()

    def event(self) -> tuple[str, str]:
        """The event, and the text in it."""
        left_s = self._step.left_s if self._step else None
        shape = {
            "stage": self._step.stage if self._step else "waiting",
            "progress": self._percent,
            "secondsLeft": None if left_s is None else max(0, round(left_s)),
            "text": self._text,
        }
        return sse("progress", json.dumps(shape)), self._text
