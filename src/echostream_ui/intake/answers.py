"""Gets the API's answers: sends a recording and, if there is a queue, follows its job."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path

from echostream_ui.api_client import ApiClient, ApiError
from echostream_ui.intake.line import Line, Place
from echostream_ui.intake.patience import Patience
from echostream_ui.intake.progress import ProgressBoard, Stage
from echostream_ui.intake.staging import Staging
from echostream_ui.library.media import Media
from echostream_ui.library.values import Json

_MOST_BREAKS = 3
_TEXT_CHARS_A_S = 100_000


_STAGES: dict[str, Stage] = {
    "waiting": "queued",
    "fetching": "fetching",
    "decoding": "decoding",
    "diarizing": "diarizing",
    "analysing": "analysing",
}
"""The API's stages and ours; any other one belongs to transcribing."""


class Answers:
    """For use in one event loop. Reports each recording's progress to the board."""

    def __init__(
        self,
        api: ApiClient,
        staging: Staging,
        board: ProgressBoard,
        patience: Patience,
        *,
        at_once: int,
        poll_s: float,
    ) -> None:
        """Sends `at_once` recordings at a time. `poll_s` is the time between two job requests."""
        self._api = api
        self._staging = staging
        self._board = board
        self._patience = patience
        self.line = Line(at_once)
        self._poll_s = poll_s

    async def of(
        self, media: Media, request: Json, keep_job: Callable[[str], None], place: Place
    ) -> Json:
        """Returns the answer for one recording. `keep_job` is called with the id of its job, if
        there is a queue, in another thread. The recording is sent when its `place` in the line has
        its turn. Raises ApiError if a retry cannot help."""
        job_id = media.job_id
        if job_id is not None:
            place.leave()
        while True:
            if job_id is None:
                async with place:
                    answer, job_id = await self._send(media, request, keep_job)
                if answer is not None:
                    return answer
            assert job_id is not None  # noqa: S101 - for the type checker
            try:
                return await self._follow(media.id, job_id)
            except ApiError as error:
                if error.code != "job_not_found" or not self._source(media):
                    raise
                job_id = None  # e.g. Redis was emptied: send the recording again
                place = self.line.join()

    async def _send(
        self, media: Media, request: Json, keep_job: Callable[[str], None]
    ) -> tuple[Json | None, str | None]:
        """Returns an answer, or the id of the queued job."""
        source = self._source(media)
        if source is None:
            raise ApiError("staging_failed", "The audio of this recording is no longer here.")
        breaks = 0
        # Sending again because an answer was lost must not make a second job; a retry must.
        key = f"{media.id}-{uuid.uuid4().hex[:8]}"

        def on_sent(share: float) -> None:
            stage: Stage = "uploading" if share < 1 else "queued"
            self._board.tell(media.id, stage, share if share < 1 else None)

        def on_progress(news: Json) -> None:
            self._tell_active(media.id, news)

        async def attempt() -> tuple[Json | None, str | None]:
            nonlocal breaks
            status = await self._api.status()
            self._board.tell(media.id, "uploading" if isinstance(source, Path) else "queued", None)
            if status.has_queue:
                return None, await self._api.enqueue(source, request, on_sent, key)
            try:
                return await self._api.transcribe(source, request, on_sent, on_progress), None
            except ApiError as error:
                breaks += error.code == "unreachable"
                if breaks < _MOST_BREAKS:
                    raise
                message = f"The API broke off {breaks} times while it worked on this recording."
                raise ApiError("process_failed", message) from error

        answer, job_id = await self._patience.with_api(media.id, attempt)
        if job_id is not None:
            started = job_id
            await self._patience.with_store(media.id, lambda: keep_job(started))
        return answer, job_id

    async def _follow(self, media_id: str, job_id: str) -> Json:
        """Returns a job's result. Raises ApiError with the job's own error if it fails."""
        while True:
            job = await self._patience.with_api(media_id, lambda: self._api.job(job_id))
            state = job["state"]
            if state == "completed":
                return dict(job["result"])
            if state == "failed":
                code, message = str(job.get("error")), str(job.get("message"))
                raise ApiError(code, message)
            if state == "active":
                self._tell_active(media_id, job)
            else:
                ahead = job.get("ahead")
                self._board.tell(
                    media_id, "queued", ahead=ahead if isinstance(ahead, int) else None
                )
            # Each answer has the whole text so far, so the pause grows with the text.
            await asyncio.sleep(self._poll_s + len(job.get("text") or "") / _TEXT_CHARS_A_S)

    def _tell_active(self, media_id: str, job: Json) -> None:
        """An API older than this frontend gives only the share."""
        left_s = job.get("secondsLeft")
        self._board.tell(
            media_id,
            _STAGES.get(str(job.get("stage")), "transcribing"),
            _share(job.get("progress")),
            left_s=left_s if isinstance(left_s, int | float) else None,
            text=str(job.get("text") or ""),
        )

    def _source(self, media: Media) -> Path | str | None:
        return media.source_name if media.source == "url" else self._staging.audio(media.id)


def _share(progress: object) -> float | None:
    return min(1.0, max(0.0, progress / 100)) if isinstance(progress, int | float) else None
