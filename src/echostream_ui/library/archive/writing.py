"""Writes a library as a zip file, piece by piece: neither it nor a recording is ever in memory as a
whole."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import httpx2 as httpx

from echostream_ui.library.archive.form import (
    ABOUT,
    KIND,
    VERSION,
    audio_name,
    document,
    document_name,
)
from echostream_ui.library.media import UNFINISHED, Media
from echostream_ui.library.search import Query
from echostream_ui.library.store import Store, StoreError

_PIECE_BYTES = 1024 * 1024
_PAGE = 200
_TIMEOUT_S = 60.0
_OLDEST = datetime(1980, 1, 1, tzinfo=UTC)
"""A zip file knows no earlier time."""


class _Taken(io.RawIOBase):
    """What has been written since the last look. It cannot be sought in, so that what is written
    can be sent at once."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def written(store: Store) -> Iterator[bytes]:
    """Yields the zip file of a library in pieces. Recordings that are under way are left out.
    Raises StoreError; what has been yielded by then is no whole file."""
    sink = _Taken()
    with zipfile.ZipFile(sink, "w") as archive:
        about = json.dumps({"format": KIND, "version": VERSION})
        archive.writestr(_entry(ABOUT, datetime.now(UTC)), about)
        # By id: a recording may move to the next page while the list is read.
        for media in {each.id: each for each in _recordings(store)}.values():
            for _piece in _write(archive, store, media):
                yield sink.take()
    yield sink.take()


def _recordings(store: Store) -> Iterator[Media]:
    offset = 0
    while True:
        query = Query(sort="created_at", descending=False, limit=_PAGE, offset=offset)
        rows = store.search(query).rows
        yield from (row.media for row in rows if row.media.state not in UNFINISHED)
        if len(rows) < _PAGE:
            return
        offset += _PAGE


def _write(archive: zipfile.ZipFile, store: Store, media: Media) -> Iterator[None]:
    """Writes a recording; yields whenever there is something to be taken."""
    analysis = store.analysis(media.id)
    if analysis is None:  # it has been deleted meanwhile
        return
    text = json.dumps(document(media, analysis), ensure_ascii=False)
    entry = _entry(document_name(media.id), media.created_at)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, text.encode(errors="replace"))
    yield
    audio = store.audio(media.id)
    if audio is None:
        return
    path = audio.name if isinstance(audio, Path) else urlsplit(audio).path
    entry = _entry(audio_name(media.id, PurePosixPath(path).suffix), media.created_at)
    # It is compressed already, most of it.
    with archive.open(entry, "w", force_zip64=True) as file:
        for piece in _pieces(audio):
            file.write(piece)
            yield
    yield


def _entry(name: str, moment: datetime) -> zipfile.ZipInfo:
    at = max(moment.astimezone(UTC), _OLDEST)
    entry = zipfile.ZipInfo(name, (at.year, at.month, at.day, at.hour, at.minute, at.second))
    entry.external_attr = 0o600 << 16
    return entry


def _pieces(audio: Path | str) -> Iterator[bytes]:
    try:
        if isinstance(audio, Path):
            with audio.open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    yield piece
        else:
            with httpx.stream("GET", audio, timeout=_TIMEOUT_S) as response:
                response.raise_for_status()
                yield from response.iter_bytes(_PIECE_BYTES)
    except (OSError, httpx.HTTPError) as error:
        raise StoreError("The audio of a recording cannot be read.", retryable=True) from error
