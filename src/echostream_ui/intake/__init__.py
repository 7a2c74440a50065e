"""Brings recordings into the library in the background: leaving a page loses nothing.

First, each recording is staged in its own folder. Its answer is written there too before it goes to
the store, so that it survives a failure of the API or the store, and a restart. `resume` continues
what an earlier run left unfinished.
"""

import asyncio
import os
import shutil
import threading
import uuid
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from echostream.private_files import open_private
from echostream_ui.api_client import ApiClient, ApiError
from echostream_ui.intake.again import Again
from echostream_ui.intake.answers import Answers
from echostream_ui.intake.line import Place
from echostream_ui.intake.patience import Patience
from echostream_ui.intake.progress import Progress, ProgressBoard
from echostream_ui.intake.remux import make_seekable
from echostream_ui.intake.staging import Staging
from echostream_ui.library.contents import digest_of
from echostream_ui.library.media import BIN_DAYS, UNFINISHED, Media, Source
from echostream_ui.library.store import Store, StoreError
from echostream_ui.library.values import Json

T = TypeVar("T")


class AlreadyThere(Exception):
    """The library has the same audio already, in `media`."""

    def __init__(self, media: Media) -> None:
        super().__init__(media.title)
        self.media = media


class Intake:
    """Sends recordings to the API and saves the answers. All methods may be called from any thread.
    They wait only for writes to the disk and the store."""

    def __init__(
        self,
        api: ApiClient,
        staging: Staging,
        *,
        at_once: int,
        poll_s: float = 0.5,
        pause_s: float = 1.0,
    ) -> None:
        """`poll_s` is the time between two requests for a job's state, `pause_s` the time before
        the first retry. Create it in the event loop that does the work."""
        self._api = api
        self.staging = staging
        self._loop = asyncio.get_running_loop()
        self._board = ProgressBoard()
        self._patience = Patience(self._board, pause_s)
        self._answers = Answers(
            api, staging, self._board, self._patience, at_once=at_once, poll_s=poll_s
        )
        self.again = Again(api, staging, self._board, self._patience, self._answers)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._live: set[str] = set()
        self._lock = threading.Lock()

    # Called by pages

    def add_file(
        self,
        store: Store,
        name: str,
        audio: BinaryIO,
        request: Json,
        source: Source = "file",
        *,
        title: str | None = None,
        media_id: str | None = None,
        again: bool = False,
    ) -> str:
        """Adds a copy of a file and returns the recording's id, a new one unless it is given. The
        title defaults to `name`. Raises AlreadyThere unless it may be added `again`, OSError if the
        file cannot be staged, or StoreError."""
        digest = digest_of(audio)
        if not again and (there := _same_audio(store, digest, audio)):
            raise AlreadyThere(there)
        media_id = media_id or str(uuid.uuid4())
        path = self.staging.place(media_id, name)
        try:
            audio.seek(0)
            with open_private(path, "wb") as staged:
                shutil.copyfileobj(audio, staged)
            size = path.stat().st_size
            media = self._media(media_id, name, source, size_bytes=size, sha256=digest)
            store.add(replace(media, title=title or name), request)
        except BaseException:
            self.staging.discard(media_id)
            raise
        self._start(store, media_id)
        return media_id

    def add_url(self, store: Store, url: str, request: Json, *, title: str | None = None) -> str:
        """Adds a link and returns the recording's id. The title defaults to `url`."""
        media_id = str(uuid.uuid4())
        store.add(replace(self._media(media_id, url, "url"), title=title or url), request)
        self._start(store, media_id)
        return media_id

    def progress(self, media_id: str) -> Progress | None:
        """Returns None if the recording is not in progress."""
        return self._board.get(media_id)

    def cancel(self, store: Store, media_id: str) -> None:
        """Stops work on a recording. The staged audio stays, for a retry."""
        self._call(self._cancel(store, media_id)).result()

    def retry(self, store: Store, media_id: str) -> None:
        store.update_media(media_id, state="waiting", error=None, message=None, job_id=None)
        self._call(self._begin_again(store, media_id)).result()

    def to_bin(self, store: Store, media_ids: Iterable[str]) -> None:
        """Puts recordings into the bin. Work on those in progress is cancelled, except that a live
        recording goes on, as its user does."""
        wanted = list(media_ids)
        self._cancel_all(store, wanted)
        store.to_bin(wanted)

    def restore(self, store: Store, media_ids: Iterable[str]) -> None:
        """Takes recordings out of the bin."""
        store.restore(list(media_ids))
        self.resume(store)

    def empty_bin(self, store: Store) -> None:
        """Deletes what has been in the bin for `BIN_DAYS`."""
        if old := store.in_bin_since(datetime.now(UTC) - timedelta(days=BIN_DAYS)):
            self.delete(store, old)

    def delete(self, store: Store, media_ids: Iterable[str]) -> None:
        """Deletes recordings for good with all their data, also those in progress."""
        wanted = list(media_ids)
        self._cancel_all(store, wanted)
        store.delete(wanted)
        for media_id in wanted:
            self._live.discard(media_id)
            self.staging.discard(media_id)

    def _cancel_all(self, store: Store, media_ids: Iterable[str]) -> None:
        for media_id in media_ids:
            if media_id in self._tasks:
                self.cancel(store, media_id)
            self.again.cancel(media_id)

    def resume(self, store: Store) -> None:
        """Continues everything in the store that is unfinished and not in progress."""
        for media in store.unfinished():
            if media.id not in self._live:
                self._start(store, media.id)
        self.again.resume(store)

    # Live recordings

    def add_live(
        self, store: Store, name: str, title: str | None, suffix: str, request: Json
    ) -> tuple[str, Path]:
        """Adds a live recording; returns its id and the file to write its audio to. Nothing else
        uses the file until `save` or `reprocess` is called. Raises OSError or StoreError."""
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
        """Saves an answer that came another way, with the staged audio."""
        self.staging.write_answer(media_id, answer)
        self._live.discard(media_id)
        return self._start(store, media_id)

    def reprocess(self, store: Store, media_id: str) -> None:
        """Sends staged audio to the API like an added file."""
        self._live.discard(media_id)
        self._start(store, media_id)

    async def aclose(self) -> None:
        """Stops. The next run resumes the work in progress."""
        await self.again.aclose()
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # Work in the event loop

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
            # Before the store is asked, which may take a different time for each recording.
            place = self._answers.line.join()
            task = asyncio.create_task(self._run(store, media_id, place))
            self._tasks[media_id] = task
            # Not at the end of `_run`, which never begins if it is cancelled at once.
            task.add_done_callback(lambda _: self._ended(media_id, place))

    async def _begin_again(self, store: Store, media_id: str) -> None:
        """Waits first for the failed attempt, which may not have ended completely."""
        if ending := self._tasks.get(media_id):
            await asyncio.wait({ending})
        self._board.begin(media_id)
        await self._begin(store, media_id)

    async def _run(self, store: Store, media_id: str, place: Place) -> None:
        try:
            await self._take_in(store, media_id, place)
        except ApiError as error:
            await self._fail(store, media_id, error.code, error.words)
        except OSError as error:
            message = f"The recording cannot be read here: {error.strerror or error}."
            await self._fail(store, media_id, "staging_failed", message)

    def _ended(self, media_id: str, place: Place) -> None:
        place.leave()
        self._tasks.pop(media_id, None)
        self._board.end(media_id)

    async def _take_in(self, store: Store, media_id: str, place: Place) -> None:
        media = await self._patience.with_store(media_id, lambda: store.media(media_id))
        analysis = await self._patience.with_store(media_id, lambda: store.analysis(media_id))
        if media is None or analysis is None:  # deleted meanwhile
            self.staging.discard(media_id)
            return
        answer = self.staging.answer(media_id)
        if answer is None:
            await self._change(store, media_id, state="active")

            def keep_job(job_id: str) -> None:
                store.update_media(media_id, job_id=job_id)

            answer = await self._answers.of(media, analysis.request, keep_job, place)
            await asyncio.to_thread(self.staging.write_answer, media_id, answer)
        place.leave()
        self._board.tell(media_id, "saving")
        await self._patience.with_store(media_id, lambda: store.complete(media_id, answer))
        if audio := self.staging.audio(media_id):
            if media.source == "live":
                await make_seekable(audio)
                digest = await asyncio.to_thread(_digest_of, audio)
                await self._change(store, media_id, sha256=digest)
            await self._patience.with_store_or_not(
                media_id, lambda: store.keep_audio(media_id, audio)
            )
        await asyncio.to_thread(self.staging.discard, media_id)

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
            with suppress(ApiError):  # the job then runs to its end unused, and expires
                await self._api.cancel(media.job_id)
        changes: Json = {"state": "cancelled", "job_id": None}
        await asyncio.to_thread(lambda: store.update_media(media_id, **changes))

    async def _fail(self, store: Store, media_id: str, code: str, message: str) -> None:
        changes: Json = {"state": "failed", "error": code, "message": message, "job_id": None}
        await self._change(store, media_id, **changes)

    async def _change(self, store: Store, media_id: str, **changes: Any) -> None:
        await self._patience.with_store(media_id, lambda: store.update_media(media_id, **changes))


def _same_audio(store: Store, digest: str, audio: BinaryIO) -> Media | None:
    """The recording with the same audio. A store that cannot tell keeps nobody from adding."""
    with suppress(StoreError):
        return store.same_audio(digest, audio.seek(0, os.SEEK_END))
    return None


def _digest_of(path: Path) -> str:
    with path.open("rb") as audio:
        return digest_of(audio)
