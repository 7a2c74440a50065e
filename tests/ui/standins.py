"""Stand-ins of what the frontend's background work talks to: an API and a store that misbehave."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from echostream_ui.api_client import ApiError, Status
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.store import StoreError
from echostream_ui.library.values import Json

ANSWER: Json = {
    "success": True,
    "transcript": "We talked about the budget.",
    "language": "en",
    "duration": 4.0,
    "segments": [{"id": 0, "start": 0.0, "end": 4.0, "text": "We talked about the budget."}],
    "insights": {
        "summary": "The budget.",
        "topics": ["budget"],
        "action_items": ["Maria will send the plan."],
        "sentiment": {"label": "positive", "score": 0.8},
        "details": {
            "title": "Budget talk",
            "action_items": [
                {
                    "text": "Maria will send the plan.",
                    "owner": "Maria",
                    "due": None,
                    "evidence": [0],
                }
            ],
        },
    },
}


class ScriptedApi:
    """Answers as its script says: an entry of `answers` is given, or raised if it is an error. With
    nothing left to say it waits, as an API at work does. `jobs` are states that polls find."""

    def __init__(self, *answers: Json | Exception, has_queue: bool = False) -> None:
        self.answers = list(answers)
        self.jobs: list[Json] = []
        self.news: list[Json] = []
        self.has_queue = has_queue
        self.is_away = False
        self.seen: list[tuple[str, object]] = []
        self.at_work = asyncio.Event()
        self.cancelled: list[str] = []
        self.on_poll: Callable[[], object] = lambda: None

    async def status(self) -> Status:
        if self.is_away:
            raise gone()
        return Status(self.has_queue)

    async def transcribe(
        self,
        source: Path | str,
        request: Json,
        on_sent: Callable[[float], None],
        on_progress: Callable[[Json], None],
    ) -> Json:
        self.seen.append((_content(source), request))
        on_sent(1.0)
        for news in self.news:
            on_progress(news)
        return await self._next(self.answers)

    async def enqueue(
        self, source: Path | str, request: Json, on_sent: Callable[[float], None], key: str
    ) -> str:
        self.seen.append((_content(source), key))
        on_sent(1.0)
        return str((await self._next(self.answers))["jobId"])

    async def job(self, job_id: str) -> Json:
        self.on_poll()
        return await self._next(self.jobs)

    async def cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)

    async def _next(self, script: list[Json | Exception] | list[Json]) -> Json:
        self.at_work.set()
        if not script:
            await asyncio.Event().wait()
        said = script.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


def _content(source: Path | str) -> str:
    return source.read_text() if isinstance(source, Path) else source


def gone() -> ApiError:
    return ApiError("unreachable", "The API cannot be reached.", retry_after_s=0.01)


class FullStore(SqliteStore):
    """A store whose disk is full for as many calls of `complete` as `refusals` says."""

    refusals = 0

    def complete(self, media_id: str, response: Json) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StoreError("The disk is full.", "Make room.", retryable=True)
        super().complete(media_id, response)
