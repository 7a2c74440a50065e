"""Questions about recordings, answered in the background while a page looks on."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from echostream_ui.api_client import ApiClient
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.transcript import segments_of
from echostream_ui.library.values import Json

log = logging.getLogger(__name__)

MOST_RECORDINGS = 50
"""The API answers questions about no more at once."""

_MOST_TURNS = 6
_LONGEST_ANSWER = 8000
_AWAY_S = 10.0
"""An answer at which nobody has looked for so long is stopped: its reader has left."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A line of a recording that bears an answer out."""

    media_id: str
    title: str
    line_id: int
    start_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, also while it is written. Marks such as `[1]` in its text refer to the first,
    second, … of `passages`. `meta` comes with the end; without passages, the recordings do not hold
    the answer then. `error` is why there is no more of it."""

    question: str
    text: str = ""
    passages: tuple[Passage, ...] = ()
    meta: Json | None = None
    error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        return self.meta is not None or self.error is not None


class Stopped(StoreError):
    """Nobody waited for the answer any more."""

    def __init__(self) -> None:
        super().__init__("The answer was stopped when you left the page.", "Ask again.")


class Writing:
    """An answer while it is written. `look` and `stop` may be called from any thread."""

    def __init__(self, question: str, *, away_s: float = _AWAY_S) -> None:
        self._answer = Answer(question)
        self._away_s = away_s
        self._seen_s = time.monotonic()

    def look(self) -> Answer:
        """Returns the answer as it is now. It is stopped if nobody looks at it for a while."""
        self._seen_s = time.monotonic()
        return self._answer

    def stop(self) -> None:
        self._seen_s = -self._away_s

    async def follow(self, answers: AsyncGenerator[Answer]) -> None:
        """Takes over each of `answers` until the last, or until nobody wants it any more."""
        reading = asyncio.create_task(self._read(answers))
        try:
            while not reading.done() and time.monotonic() - self._seen_s < self._away_s:
                await asyncio.wait({reading}, timeout=self._away_s / 10)
        finally:
            reading.cancel()
            await asyncio.wait({reading})
        if not self._answer.is_over:
            self._answer = replace(self._answer, error=Stopped())

    async def _read(self, answers: AsyncGenerator[Answer]) -> None:
        try:
            async with aclosing(answers):
                async for answer in answers:
                    self._answer = answer
        except Exception as error:  # the page shows whatever it is
            log.warning("a question was not answered", exc_info=error)
            self._answer = replace(self._answer, error=error)


async def answers(
    api: ApiClient,
    store: Store,
    media_ids: Sequence[str],
    question: str,
    before: Sequence[Answer] = (),
) -> AsyncGenerator[Answer]:
    """Yields the answer as it grows, at last the whole. `before` is the conversation so far, the
    oldest first. Raises ApiError and StoreError."""
    recordings = await asyncio.to_thread(_recordings, store, media_ids)
    if not recordings:
        raise StoreError("There is no text to ask about.")
    request = {"question": question, "recordings": recordings, "history": _history(before)}
    answer = Answer(question)
    async with aclosing(api.ask(request)) as parts:
        async for part in parts:
            if isinstance(part, str):
                answer = replace(answer, text=answer.text + part)
            else:
                passages = _passages(part["evidence"], recordings)
                answer = Answer(question, part["answer"], passages, part["meta"])
            yield answer


def _recordings(store: Store, media_ids: Sequence[str]) -> list[Json]:
    """The recordings that have a text, as the API takes them."""
    found = []
    for media_id in media_ids[:MOST_RECORDINGS]:
        media, analysis = store.media(media_id), store.analysis(media_id)
        segments = segments_of(analysis) if analysis else []
        if media is not None and segments:
            found.append({"id": media_id, "title": media.title[:500], "segments": segments})
    return found


def _history(before: Sequence[Answer]) -> list[Json]:
    whole = [answer for answer in before if answer.meta is not None]
    return [
        {"question": answer.question, "answer": answer.text[:_LONGEST_ANSWER]}
        for answer in whole[-_MOST_TURNS:]
    ]


def _passages(evidence: Sequence[Json], recordings: Sequence[Json]) -> tuple[Passage, ...]:
    lines = {
        (recording["id"], segment["id"]): Passage(
            recording["id"], recording["title"], segment["id"], segment["start"], segment["text"]
        )
        for recording in recordings
        for segment in recording["segments"]
    }
    return tuple(lines[each["recording"], each["segment"]] for each in evidence)
