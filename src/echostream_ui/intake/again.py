"""Transcribes recordings of the library again, with other options.

Until the new results are complete, the library holds the old ones unchanged: what is to be done
lies in a folder of the staging, where it survives a restart. If it fails, nothing has happened.
"""

import asyncio
import os
import shutil
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from echostream.private_files import open_private
from echostream_ui.api_client import ApiClient, ApiError
from echostream_ui.intake.answers import Answers
from echostream_ui.intake.patience import Patience
from echostream_ui.intake.progress import Progress, ProgressBoard
from echostream_ui.intake.staging import Staging
from echostream_ui.library.media import Media
from echostream_ui.library.renewed import renewed
from echostream_ui.library.store import Store
from echostream_ui.library.values import Json

_PREFIX = "again-"
_TIMEOUT_S = 60.0


class Again:
    """Each recording at most once at a time. Methods may be called from any thread."""

    def __init__(
        self,
        api: ApiClient,
        staging: Staging,
        board: ProgressBoard,
        patience: Patience,
        answers: Answers,
    ) -> None:
        """Create it in the event loop that does the work."""
        self._api = api
        self._staging = staging
        self._board = board
        self._patience = patience
        self._answers = answers
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._problems: dict[str, str] = {}

    # Called by pages

    def start(self, store: Store, media_id: str, request: Json) -> None:
        """Begins, unless it is under way. Raises OSError if it cannot be staged."""
        if self.progress(media_id) is not None:
            return
        self._staging.write_task(_PREFIX + media_id, {"request": request})
        self._problems.pop(media_id, None)
        self._begin(store, media_id)

    def progress(self, media_id: str) -> Progress | None:
        """Returns None if the recording is not being transcribed again."""
        return self._board.get(_PREFIX + media_id)

    def problem(self, media_id: str) -> str | None:
        """Returns in sentences why it failed the last time."""
        return self._problems.get(media_id)

    def cancel(self, media_id: str) -> None:
        """Stops the work on a recording, if there is any. Its results stay as they are."""
        self._problems.pop(media_id, None)
        if self._board.get(_PREFIX + media_id) is not None:
            asyncio.run_coroutine_threadsafe(self._cancel(media_id), self._loop).result()

    def resume(self, store: Store) -> None:
        """Continues what an earlier run left unfinished and belongs to this library."""
        for work_id in self._staging.with_tasks():
            media_id = work_id.removeprefix(_PREFIX)
            media = store.media(media_id) if self._board.get(work_id) is None else None
            if media is not None and media.deleted_at is None:
                self._begin(store, media_id)

    async def aclose(self) -> None:
        """Stops. The next run resumes the work in progress."""
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # Work in the event loop

    def _begin(self, store: Store, media_id: str) -> "Future[None]":
        self._board.begin(_PREFIX + media_id)

        async def begin() -> None:
            if media_id not in self._tasks:
                task = asyncio.create_task(self._run(store, media_id))
                self._tasks[media_id] = task
                # Not at the end of `_run`, which never begins if it is cancelled at once.
                task.add_done_callback(lambda _: self._ended(media_id))

        return asyncio.run_coroutine_threadsafe(begin(), self._loop)

    async def _run(self, store: Store, media_id: str) -> None:
        try:
            await self._renew(store, media_id)
        except ApiError as error:
            await self._fail(media_id, error.words)
        except OSError as error:
            await self._fail(media_id, f"The audio cannot be read: {error.strerror or error}.")

    def _ended(self, media_id: str) -> None:
        self._tasks.pop(media_id, None)
        self._board.end(_PREFIX + media_id)

    async def _renew(self, store: Store, media_id: str) -> None:
        work_id = _PREFIX + media_id
        task = await asyncio.to_thread(self._staging.task, work_id)
        media = await self._patience.with_store(work_id, lambda: store.media(media_id))
        if media is not None and task is not None:
            answer = await asyncio.to_thread(self._staging.answer, work_id)
            if answer is None:
                answer = await self._ask(store, media, task)
                await asyncio.to_thread(self._staging.write_answer, work_id, answer)
            self._board.tell(work_id, "saving")
            new = answer  # for the type checker
            await self._patience.with_store(
                work_id, lambda: _save(store, media_id, task["request"], new)
            )
        await asyncio.to_thread(self._staging.discard, work_id)

    async def _ask(self, store: Store, media: Media, task: Json) -> Json:
        work_id = _PREFIX + media.id
        if media.source != "url" and self._staging.audio(work_id) is None:
            await self._bring_audio(store, media)

        def keep_job(job_id: str) -> None:
            self._staging.write_task(work_id, task | {"jobId": job_id})

        work = replace(media, id=work_id, job_id=task.get("jobId"))
        return await self._answers.of(work, task["request"], keep_job, self._answers.line.join())

    async def _bring_audio(self, store: Store, media: Media) -> None:
        """Puts the recording's audio into the staging. Without any, the API's client says so."""
        work_id = _PREFIX + media.id
        found = await self._patience.with_store(work_id, lambda: store.audio(media.id))
        if found is None:
            return
        name = found.name if isinstance(found, Path) else Path(urlsplit(found).path).name
        place = await asyncio.to_thread(self._staging.place, work_id, name)
        part = place.with_name(f"part-{place.name}")  # not taken for the audio before it is whole
        if isinstance(found, Path):
            await asyncio.to_thread(_link, found, part)
        else:
            await _download(found, part)
        await asyncio.to_thread(part.replace, place)

    async def _fail(self, media_id: str, problem: str) -> None:
        self._problems[media_id] = problem
        await asyncio.to_thread(self._staging.discard, _PREFIX + media_id)

    async def _cancel(self, media_id: str) -> None:
        work_id = _PREFIX + media_id
        if running := self._tasks.get(media_id):
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        task = await asyncio.to_thread(self._staging.task, work_id)
        if task and "jobId" in task:
            with suppress(ApiError):  # the job then runs to its end unused, and expires
                await self._api.cancel(task["jobId"])
        await asyncio.to_thread(self._staging.discard, work_id)


def _save(store: Store, media_id: str, request: Json, answer: Json) -> None:
    """Puts the new results in the place of the old ones, once: they may have been saved just before
    a restart."""
    before = store.analysis(media_id)
    if before is not None and (before.response != answer or before.edits or before.line_speakers):
        store.versions.replace(renewed(before, request, answer))


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)  # costs no room
    except OSError:
        shutil.copyfile(source, target)


async def _download(url: str, target: Path) -> None:
    """Saves audio from the library's own storage. Raises ApiError."""
    try:
        async with (
            httpx2.AsyncClient(timeout=_TIMEOUT_S) as http,
            http.stream("GET", url) as response,
        ):
            response.raise_for_status()
            with open_private(target, "wb") as file:
                async for piece in response.aiter_bytes():
                    file.write(piece)
    except httpx2.HTTPError as error:
        message = "The audio could not be read from the library."
        raise ApiError("staging_failed", message) from error
