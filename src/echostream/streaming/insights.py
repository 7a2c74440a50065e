"""Insights while somebody speaks, into what was said so far. They are made beside the text, which
never waits for them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import count

import structlog

from echostream.domain import ActionItem, Insights, Point, Transcript
from echostream.streaming.events import InsightsSoFar
from echostream.streaming.told import Told

log = structlog.get_logger(__name__)

_SAME_WORDS = 0.5
"""The share of common words from which two statements about the same segments are one."""

Analyse = Callable[[Transcript], Awaitable[Insights | None]]


class LiveInsights:
    """Makes the insights of one session, and recognises what was found before."""

    def __init__(self, analyse: Analyse, *, every_s: float) -> None:
        self._analyse = analyse
        self._every_s = every_s
        self._action_items = StableIds()
        self._decisions = StableIds()

    async def tell(self, told: Told, said: Callable[[], Transcript]) -> None:
        """Tells the client of them, without an end."""
        async for found in self.updates(said):
            await told.tell(found)

    async def updates(self, said: Callable[[], Transcript]) -> AsyncIterator[InsightsSoFar]:
        """Yields insights into what was `said` so far, whenever there is more, without an end."""
        known = ""
        while True:
            await asyncio.sleep(self._every_s)
            transcript = said()
            if transcript.text == known:
                continue
            known = transcript.text
            found = await attempt(self._analyse, transcript)
            if found is not None:
                yield self.with_ids(found, transcript)

    def with_ids(self, insights: Insights, said: Transcript) -> InsightsSoFar:
        """The insights into what was `said`, with the ids that their statements had before."""
        details = insights.details
        return InsightsSoFar(
            insights,
            self._action_items.of(details.action_items),
            self._decisions.of(details.decisions),
            said,
        )


async def attempt(analyse: Analyse, said: Transcript) -> Insights | None:
    """If the insights fail, the text is told without them."""
    try:
        return await analyse(said)
    except Exception as error:
        log.warning("live_insights_failed", exc_info=error)
        return None


class StableIds:
    """Numbers statements of one kind. One that is found again keeps its number."""

    def __init__(self) -> None:
        self._known: dict[int, Point | ActionItem] = {}
        self._numbers = count(1)

    def of(self, points: Sequence[Point | ActionItem]) -> tuple[int, ...]:
        """The number of each; no two have the same."""
        ids: list[int] = []
        for point in points:
            free = {one: old for one, old in self._known.items() if one not in ids}
            again = next((one for one, old in free.items() if _same(old, point)), None)
            number = again or next(self._numbers)
            self._known[number] = point
            ids.append(number)
        return tuple(ids)


def _same(one: Point | ActionItem, other: Point | ActionItem) -> bool:
    """Whether two statements say the same. Later ones may be worded otherwise."""
    words, others = set(one.text.casefold().split()), set(other.text.casefold().split())
    if words == others:
        return True
    alike = len(words & others) / len(words | others)
    return bool(set(one.evidence) & set(other.evidence)) and alike >= _SAME_WORDS
