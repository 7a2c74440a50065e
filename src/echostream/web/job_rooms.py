"""Jobs over Socket.IO: clients that join a job get its progress, and are certain to get its end.

Each job that sockets of this process have joined is a room with a watch. Workers report progress
and the end in messages that may be lost, so the watch also checks the job every few seconds. It
knows what the room was told: nothing is sent twice, and only a check can report an end. A check
also reads the text so far; messages only say that there is more text.
"""

import asyncio
import re
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

import structlog

from echostream.errors import EchoStreamError, InvalidRequest, JobNotFound
from echostream.job_events import JobListener, JobNews
from echostream.jobs import JobQueue, JobState, SoFar
from echostream.settings import Settings
from echostream.storage import Storage
from echostream.web.engine_io import SocketServer
from echostream.web.job_shapes import (
    JOB_ID,
    check_owner,
    no_queue,
    result_of,
    so_far_shape,
    wait_shape,
)
from echostream.web.stopping import unless_stopping

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 2.0
_LOOKS_AT_ONCE = 8
"""redis-py refuses more than 100 commands at once, and REST requests need some of them."""
_MAX_JOBS = 100
"""How many jobs one socket may join at a time."""
_NAMESPACE = "/"


class _Watch:
    """A job that sockets have joined. `state`, `progress`, `so_far` and `wait` are what they were
    told last. `state` is None before the first check of the job, `so_far` is None unless it is
    active, `wait` is empty unless it waits for another attempt.
    """

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.room = room_of(job_id)
        self.state: JobState | None = None
        self.progress = 0
        self.so_far: SoFar | None = None
        self.wait: dict[str, Any] = {}
        self.refused: EchoStreamError | None = None
        """Why the job cannot be followed."""
        self.seen = asyncio.Event()
        """Set once the room knows the result of the first check."""
        self.stirred = asyncio.Event()
        """Set when it is time for another check."""
        self.task: asyncio.Task[None]

    def shape(self, *, with_text: bool = True) -> dict[str, Any]:
        shape = {"jobId": self.job_id, "state": self.state, "progress": self.progress}
        so_far = so_far_shape(self.so_far, with_text=with_text) if self.so_far else {}
        return shape | so_far | self.wait


def room_of(job_id: str) -> str:
    return f"job:{job_id}"


class JobRooms:
    """Serves `join_job`. It has a queue only between `open` and `aclose`."""

    def __init__(self, server: SocketServer, abort: asyncio.Event) -> None:
        """Clients that still wait when `abort` is set are told that the server is busy."""
        self._server = server
        self._abort = abort
        self._jobs: tuple[JobQueue, Storage] | None = None
        self._listener: JobListener | None = None
        self._watches: dict[str, _Watch] = {}
        self._turns = asyncio.Semaphore(_LOOKS_AT_ONCE)
        server.on("join_job", self._on_join)

    def open(self, settings: Settings, queue: JobQueue, storage: Storage) -> None:
        self._jobs = queue, storage
        self._listener = JobListener(settings.redis_url, settings.queue_name, self._hear)
        self._listener.start()

    async def aclose(self) -> None:
        """Ends all watches; clients still in a room get no more events."""
        self._jobs = None
        if self._listener is not None:
            await self._listener.aclose()
        watches = list(self._watches.values())
        for watch in watches:
            # redis-py can swallow a cancellation; a forgotten watch ends anyway.
            self._forget(watch)
            watch.task.cancel()
        await asyncio.gather(*(watch.task for watch in watches), return_exceptions=True)

    @property
    def watched(self) -> int:
        """How many jobs are followed."""
        return len(self._watches)

    async def _on_join(self, sid: str, *payload: Any) -> dict[str, Any]:
        """The acknowledgement says whether the socket has joined or, if the job has ended, whether
        the socket was told how."""
        given = payload[0] if payload else None
        job_id = given.get("jobId") if isinstance(given, dict) else None
        try:
            await unless_stopping(self._abort, self._join(sid, job_id))
        except EchoStreamError as error:
            fault = {"error": error.code, "message": str(error)}
            shown_id = job_id if isinstance(job_id, str) and len(job_id) <= 128 else None
            await self._server.emit("job_failed", {"jobId": shown_id, **fault}, to=sid)
            return {"ok": False, **fault}
        return {"ok": True}

    async def _join(self, sid: str, job_id: Any) -> None:
        if not isinstance(job_id, str) or not re.fullmatch(JOB_ID, job_id):
            raise InvalidRequest("jobId must be 1 to 128 letters, digits, '_' or '-'")
        if self._jobs is None:
            raise no_queue()
        queue, storage = self._jobs
        await check_owner(queue, self._server.caller(sid), job_id)
        if not self._server.manager.is_connected(sid, _NAMESPACE):
            return
        rooms = self._server.rooms(sid)
        if room_of(job_id) not in rooms and len(rooms) > _MAX_JOBS:
            raise InvalidRequest(f"a socket may join {_MAX_JOBS} jobs at a time")
        # No await since it was connected: a socket that has left would leave an empty room behind.
        await self._server.enter_room(sid, room_of(job_id))
        watch = self._watches.get(job_id) or self._begin(job_id, queue, storage)
        if watch.state is not None:
            await self._server.emit("job_progress", watch.shape(), to=sid)
            return
        await watch.seen.wait()  # by then the whole room, with this socket, has been told
        if watch.refused is not None:
            raise watch.refused

    def _begin(self, job_id: str, queue: JobQueue, storage: Storage) -> _Watch:
        watch = self._watches[job_id] = _Watch(job_id)
        watch.task = asyncio.create_task(self._follow(watch, queue, storage))
        return watch

    async def _follow(self, watch: _Watch, queue: JobQueue, storage: Storage) -> None:
        """Checks the job until it has ended or nobody listens any more."""
        try:
            while self._is_current(watch) and self._listeners(watch):
                watch.stirred.clear()
                # The first check does not queue, since a client waits for it.
                async with self._turns if watch.state else nullcontext():
                    await self._look(watch, queue, storage)
                with suppress(TimeoutError):
                    await asyncio.wait_for(watch.stirred.wait(), _LOOK_EVERY_S)
        except Exception as error:
            log.error("job_watch_crashed", job_id=watch.job_id, exc_info=error)
            if self._is_current(watch):
                await self._refuse(watch, EchoStreamError("the job cannot be looked at"))
        finally:
            self._forget(watch)
            watch.seen.set()

    async def _look(self, watch: _Watch, queue: JobQueue, storage: Storage) -> None:
        progress = watch.progress
        try:
            status = await queue.status(watch.job_id)
            if status.state == "completed":
                result = (await result_of(storage, watch.job_id)).shape()
                await self._end(watch, "job_completed", result=result)
            elif status.state == "failed":
                await self._end(watch, "job_failed", error=status.error, message=status.message)
            elif watch.progress == progress:
                come_to = max(progress, status.progress)
                await self._show(watch, status.state, come_to, status.so_far, wait_shape(status))
            else:
                watch.stirred.set()  # it has made progress during the check
        except JobNotFound as error:
            await self._refuse(watch, error)
        except EchoStreamError as error:
            # Redis or the storage is down, which says nothing about a job already followed.
            if watch.state is None:
                await self._refuse(watch, error)

    async def _hear(self, news: JobNews) -> None:
        """Handles a message from a worker."""
        watch = self._watches.get(news.job_id)
        if watch is None:
            return
        if news.progress is None or news.has_new_text:
            watch.stirred.set()
        if news.progress is None or watch.state is None or news.progress < watch.progress:
            return
        so_far = replace(watch.so_far or SoFar(), stage=news.stage, left_s=news.left_s)
        await self._show(watch, "active", news.progress, so_far, {})

    async def _show(
        self,
        watch: _Watch,
        state: JobState,
        progress: int,
        so_far: SoFar | None,
        wait: dict[str, Any],
    ) -> None:
        """Tells the room what is new; sends the text only if it has changed."""
        told = (watch.state, watch.progress, watch.so_far, watch.wait)
        if told == (state, progress, so_far, wait):
            return
        known = watch.so_far.text if watch.so_far else None
        watch.state, watch.progress, watch.so_far, watch.wait = state, progress, so_far, wait
        with_text = so_far is not None and so_far.text != known
        await self._server.emit("job_progress", watch.shape(with_text=with_text), to=watch.room)
        watch.seen.set()

    async def _refuse(self, watch: _Watch, error: EchoStreamError) -> None:
        """Ends a watch that cannot go on. Clients that wait for the first check get the error from
        their own `join_job`."""
        if watch.state is None:
            watch.refused = error
            await self._server.close_room(watch.room)
            self._forget(watch)
        else:
            await self._end(watch, "job_failed", error=error.code, message=str(error))

    async def _end(self, watch: _Watch, event: str, **data: Any) -> None:
        """Tells all who have joined and forgets them; a client that joins again is told again."""
        listeners = self._listeners(watch)
        # No await in between, so that nobody can join a watch that is over.
        await self._server.close_room(watch.room)
        self._forget(watch)
        if listeners:
            await self._server.emit(event, {"jobId": watch.job_id, **data}, to=listeners)

    def _listeners(self, watch: _Watch) -> list[str]:
        found = self._server.manager.get_participants(_NAMESPACE, watch.room)
        return [sid for sid, _ in found]

    def _is_current(self, watch: _Watch) -> bool:
        return self._watches.get(watch.job_id) is watch

    def _forget(self, watch: _Watch) -> None:
        """Ends the watch, after a check that may be running."""
        if self._is_current(watch):
            del self._watches[watch.job_id]
        watch.stirred.set()
