"""Watches a folder: takes its recordings into the library, and exports their results beside them.

It looks every few seconds, because a file is only complete once it has not changed for a while, and
because notices of changes do not arrive from network shares and mounted volumes.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from echostream_ui import documents
from echostream_ui.api_client import Options
from echostream_ui.intake import Intake
from echostream_ui.library.contents import digest_of
from echostream_ui.library.media import Media
from echostream_ui.library.sqlite.store import SqliteStore
from echostream_ui.library.sqlite.watched import WatchedFile, WrittenDocument
from echostream_ui.library.store import StoreError
from echostream_ui.library.values import Json
from echostream_ui.settings import Export
from echostream_ui.watching.exports import export
from echostream_ui.watching.files import Seen, Stillness, recordings_in, seen_at

log = logging.getLogger(__name__)

_IDS = uuid.UUID("6f1d2b8e-54f1-4d4e-9f0c-5d1d1c9a7a37")
"""Makes a recording's id from its content, so that it is the same after a crash."""


class WatchedFolder:
    """Looks at one folder for one library. `watch` runs in an event loop, all else in threads."""

    def __init__(
        self,
        folder: Path,
        library: SqliteStore,
        intake: Intake,
        *,
        preset: str | None = None,
        formats: Iterable[Export] = (),
        every_s: float = 2.0,
        pause_s: float = 15.0,
        quiet_s: float = 10.0,
        stillness: Stillness | None = None,
        document_options: documents.Options | None = None,
    ) -> None:
        """`formats` are those to export, written as `document_options` say. `every_s` is the time
        between two looks, `pause_s` the one after a problem: a look may read large files. Results
        are exported again when nobody has changed them for `quiet_s`."""
        self._folder = folder
        self._library = library
        self._intake = intake
        self._preset = preset
        self._formats = tuple(formats)
        self._every_s = every_s
        self._pause_s = pause_s
        self._stillness = stillness or Stillness()
        self._quiet_s = quiet_s
        self._document_options = document_options or documents.Options()
        self._problem = ""

    async def watch(self) -> None:
        """Looks until it is cancelled. Whatever fails is logged, and tried again with the next
        look."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except OSError as error:
                self._tell(f"the watched folder cannot be used: {error.strerror or error}")
            except StoreError as error:
                self._tell(f"the library cannot be used for the watched folder: {error}")
            except Exception:
                log.exception("the watched folder could not be looked at")
            else:
                self._problem = ""
            await asyncio.sleep(self._pause_s if self._problem else self._every_s)

    def look(self) -> None:
        """Takes in what is complete and new, and exports what is done. Raises OSError if the folder
        cannot be read, and StoreError."""
        known = self._library.watched.all()
        for seen in self._stillness.still(list(recordings_in(self._folder)), time.monotonic()):
            before = known.get(self._name(seen.path))
            if before is None or (before.size_bytes, before.mtime_ns) != (
                seen.size_bytes,
                seen.mtime_ns,
            ):
                self._take_in(seen, before)
        if self._formats:
            self._export()

    def _tell(self, problem: str) -> None:
        """Logs a problem once, not with every look."""
        if problem != self._problem:
            log.warning("%s (%s)", problem, self._folder)
        self._problem = problem

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _take_in(self, seen: Seen, before: WatchedFile | None) -> None:
        """Adds a file to the library unless its content is known: then it was moved, copied or
        only touched."""
        file = WatchedFile(self._name(seen.path), seen.size_bytes, seen.mtime_ns, None, "")
        try:
            with seen.path.open("rb") as audio:
                sha256 = digest_of(audio)
        except OSError as error:
            self._refuse(file, error)
            return
        if seen_at(seen.path) != seen:  # it has changed meanwhile, so it was not complete
            return
        watched = self._library.watched
        file = replace(file, sha256=sha256)
        if before is not None and before.sha256 == sha256:
            watched.keep(replace(before, size_bytes=seen.size_bytes, mtime_ns=seen.mtime_ns))
        elif same := watched.with_content(sha256):
            self._keep_same(file, same)
        else:
            media_id = self._add(seen.path, sha256)
            watched.keep(replace(file, media_id=media_id))

    def _keep_same(self, file: WatchedFile, same: WatchedFile) -> None:
        """Remembers another place of a file that is known. Results go where it was moved, but not
        beside a copy."""
        file = replace(file, media_id=same.media_id)
        if seen_at(self._folder / same.path) is None:
            file = replace(file, is_exported=same.is_exported)
            self._library.watched.keep(file, instead_of=same.path)
        else:
            self._library.watched.keep(replace(file, is_exported=True))

    def _add(self, path: Path, sha256: str) -> str:
        """Adds a file to the library, unless that was done just before a crash; returns the
        recording's id."""
        media_id = str(uuid.uuid5(_IDS, sha256))
        if self._library.media(media_id) is None:
            options = self._options()
            with path.open("rb") as audio:
                # What this folder has had before was found out above. A recording that the user
                # added another way is not in the way.
                self._intake.add_file(
                    self._library, path.name, audio, options, media_id=media_id, again=True
                )
            log.info("taken in from the watched folder: %s", path)
        return media_id

    def _refuse(self, file: WatchedFile, error: OSError) -> None:
        """Tells in the library that a file cannot be read. It is tried again if it changes."""
        if isinstance(error, FileNotFoundError):
            return
        name = Path(file.path).name
        media = Media(
            id=str(uuid.uuid4()),
            title=name,
            created_at=datetime.now(UTC),
            source="file",
            source_name=name,
            state="failed",
            error="staging_failed",
            message=f"The file in the watched folder cannot be read: {error.strerror or error}.",
        )
        self._library.add(media, self._options())
        self._library.watched.keep(replace(file, media_id=media.id, is_exported=True))

    def _options(self) -> Json:
        """The options of the preset, or the frontend's defaults."""
        if self._preset is not None:
            for preset in self._library.presets.all():
                if preset.name == self._preset:
                    return preset.options
            log.warning("there is no preset named %r for the watched folder", self._preset)
        return Options().as_json()

    def _export(self) -> None:
        watched = self._library.watched
        for file in watched.to_export(self._quiet_s):
            path = self._folder / file.path
            media = self._library.media(file.media_id)
            analysis = self._library.analysis(file.media_id)
            if media is None or analysis is None or seen_at(path) is None:
                continue  # it may have been moved: the next look finds it
            written: list[WrittenDocument] = []
            before = watched.documents(file.path)
            try:
                written = export(
                    path, media, analysis, self._formats, before, self._document_options
                )
            except Exception:  # the results of one recording: those of others are written anyway
                log.exception("the results of %s could not be exported", path)
            watched.keep_exported(file, written)
