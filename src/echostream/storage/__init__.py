"""Audio that waits for its job, and the results of jobs, in a place shared by API and workers.

STORAGE_URL names a folder (`file://./data`, or a plain path) or a bucket (`s3://bucket/prefix`). It
contains `staged/<job id>` and `results/<job id>.json`. Files are complete or absent: a file is
written under a temporary name, or as a multipart upload, and gets its name at the end.
"""

import asyncio
import errno
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import structlog

from echostream.errors import (
    EchoStreamError,
    InvalidRequest,
    StagedAudioMissing,
    StorageFull,
    StorageUnavailable,
)
from echostream.storage.base import FOLDERS, Store, blocks_of, part_of
from echostream.storage.bucket import open_bucket, s3_code
from echostream.storage.folder import Folder

__all__ = ["StagedAudioMissing", "Storage", "StorageUnavailable"]

log = structlog.get_logger(__name__)

T = TypeVar("T")
Keep = Callable[[str], Awaitable[bool]]
"""Whether the file of a job with this id is to be kept."""

_PROBE_BYTES = 4096
_PROBE_S = 5.0

_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
_OURS = re.compile(
    r"staged/([A-Za-z0-9_-]+)|results/([A-Za-z0-9_-]+)\.json|\w+/\.[^/]+\.[0-9a-f]{16}\.part"
)

_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# Codes of S3 servers with limited space: MinIO's disks and quotas, Ceph's quotas.
_FULL_CODES = {"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded"}


class Storage:
    """The files of jobs. `name` is always a job id; InvalidRequest is raised if it is malformed.

    Every method may raise StorageUnavailable, and those that write also StorageFull. A cancelled
    method waits until its thread has stopped and cleaned up.
    """

    def __init__(self, url: str) -> None:
        """Connects to nothing yet. Raises ValueError if `url` is neither a folder nor a bucket, and
        MissingExtra for a bucket whose library is not installed."""
        self._store = _open_store(url)
        self._probe: asyncio.Task[None] | None = None

    async def stage(self, name: str, file: BinaryIO) -> None:
        """Stores all of `file`, from its start; replaces a file staged earlier under this name.

        If two calls use one name at the same time, one complete file remains. A cancelled `stage`
        leaves no file, or the complete one if it had just finished.
        """
        path = _staged(name)
        await self._in_thread(lambda stop: self._store.write(path, blocks_of(file, stop)))

    @asynccontextmanager
    async def staged(self, name: str) -> AsyncIterator[BinaryIO]:
        """The staged file, opened at its start; closed on leaving.

        It stays readable even if it is unstaged or replaced meanwhile. Raises StagedAudioMissing.
        """
        path = _staged(name)
        # The thread registers the file here, so that it is closed even if this task is cancelled
        # while the thread opens it.
        with ExitStack() as opened:
            file = await self._in_thread(lambda stop: self._store.open(path, opened, stop))
            if file is None:
                raise StagedAudioMissing("The audio of this job is no longer in the storage.")
            yield file

    async def is_staged(self, name: str) -> bool:
        """Whether there is a staged file."""
        path = _staged(name)
        return await self._in_thread(lambda _: self._store.exists(path))

    async def unstage(self, name: str) -> None:
        """Removes a staged file, if it exists."""
        await self._delete(_staged(name))

    async def write_result(self, name: str, data: bytes) -> None:
        """Stores a result; replaces an earlier one."""
        path = _result(name)
        await self._in_thread(lambda _: self._store.write(path, iter([data])))

    async def read_result(self, name: str) -> bytes | None:
        """The result, or None."""
        path = _result(name)
        return await self._in_thread(lambda _: self._store.read(path))

    async def delete_result(self, name: str) -> None:
        """Removes a result, if it exists."""
        await self._delete(_result(name))

    async def sweep(self, *, keep_audio: Keep, keep_result: Keep, older_than_s: float) -> int:
        """Removes files older than `older_than_s`, unless they are to be kept for their job, and
        the remains of broken writes of that age. Returns how many were removed.

        Files that EchoStream did not write are left alone. `older_than_s` must be longer than the
        longest upload and the time between staging a file and queueing its job. An exception from
        `keep_audio` or `keep_result` ends the sweep.
        """
        removed = 0
        for path in await self._in_thread(lambda _: self._old_files(older_than_s)):
            job = cast(re.Match[str], _OURS.fullmatch(path))
            audio_of, result_of = job.groups()
            if (audio_of and await keep_audio(audio_of)) or (
                result_of and await keep_result(result_of)
            ):
                continue
            try:
                await self._delete(path)
                removed += 1
            except EchoStreamError as error:  # the next one may still go
                log.warning("cannot sweep a file", path=path, reason=str(error))
        return removed + await self._in_thread(lambda _: self._store.abort_uploads(older_than_s))

    async def check(self) -> None:
        """Writes and removes a small file; raises if that fails or takes longer than 5 s."""
        # All callers share one probe: if the storage hangs, each probe holds a thread for 20 s.
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._in_thread(lambda _: self._write_probe()))
            self._probe.add_done_callback(_read_outcome)
        try:
            async with asyncio.timeout(_PROBE_S):
                await asyncio.shield(self._probe)
        except TimeoutError:
            raise StorageUnavailable("The storage does not answer.") from None

    def _write_probe(self) -> None:
        path = part_of("staged/check")
        self._store.write(path, iter([bytes(_PROBE_BYTES)]))
        self._store.delete(path)

    def _old_files(self, older_than_s: float) -> list[str]:
        return [
            entry.path
            for entry in chain.from_iterable(map(self._store.list, FOLDERS))
            if entry.age_s >= older_than_s and _OURS.fullmatch(entry.path)
        ]

    async def _delete(self, path: str) -> None:
        await self._in_thread(lambda _: self._store.delete(path))

    async def _in_thread(self, work: Callable[[threading.Event], T]) -> T:
        """Runs `work` in a thread and translates its exceptions. When cancelled, sets its event and
        waits for its end, so that it does not use a file that its owner has closed."""
        stop = threading.Event()
        future = asyncio.ensure_future(asyncio.to_thread(work, stop))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stop.set()
            while not future.done():
                with suppress(asyncio.CancelledError):  # cancelled again; the thread is stopping
                    await asyncio.wait([future])
            _read_outcome(future)
            raise
        except self._store.faults as fault:
            log.warning("storage failed", fault=repr(fault))  # clients see less
            raise _translated(fault) from fault


def _open_store(url: str) -> Store:
    scheme = url.partition("://")[0] if "://" in url else "file"
    if scheme == "file":
        return Folder(Path(url.removeprefix("file://")).expanduser().absolute())
    if scheme != "s3":
        raise ValueError("STORAGE_URL must be a folder (file://...) or a bucket (s3://...)")
    return open_bucket(url)


def _staged(name: str) -> str:
    return f"staged/{_checked(name)}"


def _result(name: str) -> str:
    return f"results/{_checked(name)}.json"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidRequest("This is not a job id.")
    return name


def _read_outcome(future: asyncio.Future[Any]) -> None:
    """Keeps asyncio from reporting an error that nobody awaits any more."""
    if not future.cancelled():
        future.exception()


def _translated(fault: Exception) -> EchoStreamError:
    """The error as clients may see it, without paths and hosts."""
    if getattr(fault, "errno", None) in _FULL_ERRNOS or s3_code(fault) in _FULL_CODES:
        return StorageFull("There is no room left in the storage.")
    if isinstance(fault, FileNotFoundError):
        return StorageUnavailable("The bucket or folder of the storage does not exist.")
    if isinstance(fault, PermissionError):
        return StorageUnavailable("The storage refuses access.")
    if isinstance(fault, TimeoutError):
        return StorageUnavailable("The storage does not answer.")
    return StorageUnavailable("The storage gave an unexpected answer.")
