"""Recordings on their way into the library, in the background: leaving a page loses nothing.

Each one is staged in a folder of its own before anything else happens, and its answer is written
there before it goes to the store, so that neither a dead API nor a dead store nor a restart loses
it. `resume` goes on with what an earlier run left.
"""

import asyncio
import shutil
import threading
import uuid
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from echostream_ui.api_client import ApiClient, ApiError
from echostream_ui.intake.patience import Patience
from echostream_ui.intake.progress import Progress, ProgressBoard, Stage
from echostream_ui.intake.remux import make_seekable
from echostream_ui.intake.staging import Staging
from echostream_ui.library.store import UNFINISHED, Json, Media, Source, Store

T = TypeVar("T")

_MOST_BREAKS = 3
_TEXT_CHARS_A_S = 100_000


class Intake:
    """Sends recordings to the API and keeps the answers. All methods may be called from any thread
    and return at once, but for writing to the disk and to the store."""

    def __init__(
        self,
        api: ApiClient,
        staging: Staging,
        *,
        at_once: int,
        poll_s: float = 0.5,
        pause_s: float = 1.0,
    ) -> None:
        """`poll_s` lies between two looks at a job, `pause_s` before the first new attempt at what
        failed. To be made in the event loop that does the work."""
        self._poll_s = poll_s
        self._api = api
        self.staging = staging
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(at_once)
        self._board = ProgressBoard()
        self._patience = Patience(self._board, pause_s)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._live: set[str] = set()
        self._lock = threading.Lock()

    # What pages do

    def add_file(
        self,
        store: Store,
        name: str,
        audio: BinaryIO,
        request: Json,
        source: Source = "file",
        *,
        title: str | None = None,
    ) -> str:
        """Take a file over; its id. Without a title it has its name. Raises OSError when it cannot
        be staged, or StoreError."""
        media_id = str(uuid.uuid4())
        path = self.staging.place(media_id, name)
        try:
            with path.open("wb") as staged:
                shutil.copyfileobj(audio, staged)
            size = path.stat().st_size
            media = self._media(media_id, name, source, size_bytes=size)
            store.add(replace(media, title=title or name), request)
        except BaseException:
            self.staging.discard(media_id)
            raise
        self._start(store, media_id)
        return media_id

    def add_url(self, store: Store, url: str, request: Json) -> str:
        media_id = str(uuid.uuid4())
        store.add(self._media(media_id, url, "url"), request)
        self._start(store, media_id)
        return media_id

    def progress(self, media_id: str) -> Progress | None:
        """None when it is not under way."""
        return self._board.get(media_id)

    def cancel(self, store: Store, media_id: str) -> None:
        """Stop work on a recording; what was staged stays, for a retry."""
        self._call(self._cancel(store, media_id)).result()

    def retry(self, store: Store, media_id: str) -> None:
        store.update_media(media_id, state="waiting", error=None, message=None, job_id=None)
        self._call(self._begin_again(store, media_id)).result()

    def delete(self, store: Store, media_ids: Iterable[str]) -> None:
        """Recordings with all that was made of them, those under way too."""
        wanted = list(media_ids)
        for media_id in wanted:
            if media_id in self._tasks:
                self.cancel(store, media_id)
        store.delete(wanted)
        for media_id in wanted:
            self._live.discard(media_id)
            self.staging.discard(media_id)

    def resume(self, store: Store) -> None:
        """Go on with everything in the store that is unfinished and not under way."""
        for media in store.unfinished():
            if media.id not in self._live:
                self._start(store, media.id)

    # Recordings that are still being spoken

    def add_live(
        self, store: Store, name: str, title: str | None, suffix: str, request: Json
    ) -> tuple[str, Path]:
        """A new one: its id, and the file that its audio is to be written to. Until it is given to
        `save` or `reprocess` nothing else touches it. Raises OSError, or StoreError."""
        media_id = str(uuid.uuid4())
        path = self.staging.place(media_id, f"live{suffix}")
        self._live.add(media_id)
        try:
            path.touch()
            media = self._media(media_id, name, "live", state="active")
            store.add(replace(media, title=title or name), request)
        except BaseException:
            self._live.discard(media_id)
            self.staging.discard(media_id)
            raise
        return media_id, path

    def save(self, store: Store, media_id: str, answer: Json) -> "Future[None]":
        """Keep an answer that came another way, with the audio that was staged."""
        self.staging.write_answer(media_id, answer)
        self._live.discard(media_id)
        return self._start(store, media_id)

    def reprocess(self, store: Store, media_id: str) -> None:
        """Send staged audio to the API as if it were a file that had been added."""
        self._live.discard(media_id)
        self._start(store, media_id)

    async def aclose(self) -> None:
        """Stop; what is under way is resumed by the next run."""
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # Work, in the event loop

    def _media(self, media_id: str, name: str, source: Source, **more: Any) -> Media:
        return Media(media_id, name, datetime.now(UTC), source, name, **more)

    def _call(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _start(self, store: Store, media_id: str) -> "Future[None]":
        with self._lock:
            self._board.begin(media_id)
        return self._call(self._begin(store, media_id))

    async def _begin(self, store: Store, media_id: str) -> None:
        if media_id not in self._tasks:
            self._tasks[media_id] = asyncio.create_task(self._run(store, media_id))

    async def _begin_again(self, store: Store, media_id: str) -> None:
        """The attempt that failed may have told so and not quite ended."""
        if ending := self._tasks.get(media_id):
            await asyncio.wait({ending})
        self._board.begin(media_id)
        await self._begin(store, media_id)

    async def _run(self, store: Store, media_id: str) -> None:
        try:
            await self._take_in(store, media_id)
        except ApiError as error:
            await self._fail(store, media_id, error.code, error.words)
        except OSError as error:
            message = f"The recording cannot be read here: {error.strerror or error}."
            await self._fail(store, media_id, "staging_failed", message)
        finally:
            self._tasks.pop(media_id, None)
            self._board.end(media_id)

    async def _take_in(self, store: Store, media_id: str) -> None:
        media = await self._patience.with_store(media_id, lambda: store.media(media_id))
        analysis = await self._patience.with_store(media_id, lambda: store.analysis(media_id))
        if media is None or analysis is None:  # deleted meanwhile
            self.staging.discard(media_id)
            return
        answer = self.staging.answer(media_id)
        if answer is None:
            await self._change(store, media_id, state="active")
            answer = await self._answer(store, media, analysis.request)
            await asyncio.to_thread(self.staging.write_answer, media_id, answer)
        self._board.tell(media_id, "saving")
        await self._patience.with_store(media_id, lambda: store.complete(media_id, answer))
        if audio := self.staging.audio(media_id):
            if media.source == "live":
                await make_seekable(audio)
            await self._patience.with_store_or_not(
                media_id, lambda: store.keep_audio(media_id, audio)
            )
        await asyncio.to_thread(self.staging.discard, media_id)

    async def _answer(self, store: Store, media: Media, request: Json) -> Json:
        """The API's answer, through its queue if it has one."""
        job_id = media.job_id
        while True:
            if job_id is None:
                async with self._slots:
                    answer, job_id = await self._send(store, media, request)
                if answer is not None:
                    return answer
            assert job_id is not None  # noqa: S101 - for the type checker
            try:
                return await self._follow(media.id, job_id)
            except ApiError as error:
                if error.code != "job_not_found" or not self._source(media):
                    raise
                job_id = None  # such as a Redis that was emptied: the recording is sent again

    async def _send(
        self, store: Store, media: Media, request: Json
    ) -> tuple[Json | None, str | None]:
        """An answer, or the id of a job that was queued for it."""
        source = self._source(media)
        if source is None:
            raise ApiError("staging_failed", "The audio of this recording is no longer here.")
        breaks = 0
        # Asking twice for the same, because an answer was lost, makes one job; a retry another.
        key = f"{media.id}-{uuid.uuid4().hex[:8]}"

        def on_sent(share: float) -> None:
            stage: Stage = "uploading" if share < 1 else "transcribing"
            self._board.tell(media.id, stage, share if share < 1 else None)

        async def attempt() -> tuple[Json | None, str | None]:
            nonlocal breaks
            status = await self._api.status()
            self._board.tell(
                media.id, "uploading" if isinstance(source, Path) else "transcribing", None
            )
            if status.has_queue:
                return None, await self._api.enqueue(source, request, on_sent, key)
            try:
                return await self._api.transcribe(source, request, on_sent), None
            except ApiError as error:
                breaks += error.code == "unreachable"
                if breaks < _MOST_BREAKS:
                    raise
                message = f"The API broke off {breaks} times while it worked on this recording."
                raise ApiError("process_failed", message) from error

        answer, job_id = await self._patience.with_api(media.id, attempt)
        if job_id is not None:
            await self._change(store, media.id, job_id=job_id)
        return answer, job_id

    async def _follow(self, media_id: str, job_id: str) -> Json:
        """The result of a job. Raises ApiError with the job's own error when it fails."""
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
                self._board.tell(media_id, "queued")
            # Each look brings the whole text so far, so that a long one is looked at less often.
            await asyncio.sleep(self._poll_s + len(job.get("text") or "") / _TEXT_CHARS_A_S)

    def _tell_active(self, media_id: str, job: Json) -> None:
        """An API that is older than this frontend says no more than the share."""
        left_s = job.get("secondsLeft")
        self._board.tell(
            media_id,
            "analysing" if job.get("stage") == "analysing" else "transcribing",
            _share(job.get("progress")),
            left_s=left_s if isinstance(left_s, int | float) else None,
            text=str(job.get("text") or ""),
        )

    async def _cancel(self, store: Store, media_id: str) -> None:
        task = self._tasks.get(media_id)
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        media = await asyncio.to_thread(store.media, media_id)
        if media is None or media.state not in UNFINISHED:
            return
        if media.job_id is not None:
            with suppress(ApiError):  # the job runs on for nobody, and expires
                await self._api.cancel(media.job_id)
        changes: Json = {"state": "cancelled", "job_id": None}
        await asyncio.to_thread(lambda: store.update_media(media_id, **changes))

    async def _fail(self, store: Store, media_id: str, code: str, message: str) -> None:
        changes: Json = {"state": "failed", "error": code, "message": message, "job_id": None}
        await self._change(store, media_id, **changes)

    async def _change(self, store: Store, media_id: str, **changes: Any) -> None:
        await self._patience.with_store(media_id, lambda: store.update_media(media_id, **changes))

    def _source(self, media: Media) -> Path | str | None:
        return media.source_name if media.source == "url" else self.staging.audio(media.id)


def _share(progress: object) -> float | None:
    return min(1.0, max(0.0, progress / 100)) if isinstance(progress, int | float) else None
