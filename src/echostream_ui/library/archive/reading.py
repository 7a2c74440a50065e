"""Reads the zip file of a library into a store.

Nothing in it is believed: names are compared with those that we write and never used as paths,
sizes are limited before anything is unpacked, and what the store has already stays as it is.
"""

import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pydantic_core import from_json

from echostream_ui.library.analysis import Analysis
from echostream_ui.library.archive.form import (
    ABOUT,
    ELSEWHERE,
    KIND,
    VERSION,
    ArchiveError,
    parts_of,
    recording_of,
)
from echostream_ui.library.media import Media
from echostream_ui.library.store import Store

_MOST_DIRECTORY_BYTES = 32 * 2**20
"""The list of a zip file's names is read as a whole. This is enough for 100,000 recordings."""
_MOST_DOCUMENT_BYTES = 64 * 2**20
"""A recording of a day has about 20 MB."""
_MOST_TIMES = 100
"""How much larger an archive may get when it is unpacked. Ours hardly grow: audio is not
compressed."""
_MOST_ABOUT_BYTES = 10_000
_PIECE_BYTES = 1024 * 1024
_IS_ENCRYPTED = 1
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError)
"""What zipfile raises; the last of them for names that are no text."""
_UNFINISHED = "import_unfinished"


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import. `known` has the titles of recordings that the store already had,
    which were passed over; `refused` has a sentence for each that could not be used."""

    added: int
    known: tuple[str, ...]
    refused: tuple[str, ...]


@dataclass(slots=True)
class _Files:
    document: zipfile.ZipInfo | None = None
    audio: zipfile.ZipInfo | None = None


def read_into(store: Store, archive: IO[bytes], folder: Path) -> Imported:
    """Adds the recordings of an archive to a store. `archive` can be sought in, and `folder` is for
    files on their way.

    Raises ArchiveError if it is no archive of a library, StoreError, and OSError if `folder` cannot
    be written. After such an error, the same archive can be read again.
    """
    added, known, refused = 0, [], []
    size_bytes = archive.seek(0, io.SEEK_END)
    with _opened(archive) as file:
        for media_id, files in _checked(file, size_bytes, folder).items():
            try:
                media, analysis = _recording(file, media_id, files)
                if not _make_way(store, media_id):
                    known.append(media.title)
                    continue
                _add(store, file, files, (media, analysis), folder)
                added += 1
            except ArchiveError as error:
                refused.append(str(error))
    return Imported(added, tuple(known), tuple(refused))


@contextmanager
def _opened(archive: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    try:
        _check_directory(archive)
        with zipfile.ZipFile(archive) as file:
            yield file
    except _DAMAGED as error:
        raise ArchiveError("The archive is damaged, or it is no zip file.") from error


def _check_directory(archive: IO[bytes]) -> None:
    # There is no public way to ask before the whole list is read.
    end = zipfile._EndRecData(archive)  # type: ignore[attr-defined]
    if not end:
        raise zipfile.BadZipFile("no end")
    if end[zipfile._ECD_SIZE] > _MOST_DIRECTORY_BYTES:  # type: ignore[attr-defined]
        raise ArchiveError("The archive has more files than a library of ours.")


def _checked(file: zipfile.ZipFile, size_bytes: int, folder: Path) -> dict[str, _Files]:
    """Returns the files of each recording. Raises ArchiveError if a name is not one of ours or
    there is too much to unpack."""
    found: dict[str, _Files] = {}
    _check_about(file)
    for entry in file.infolist():
        if entry.filename == ABOUT or entry.filename.endswith("/"):  # is_dir fails without a name
            continue
        parts = parts_of(entry.filename)
        if parts is None or not _is_readable(entry):
            raise ArchiveError("The archive has files that no library of ours has.")
        files = found.setdefault(parts[0], _Files())
        kind = "document" if parts[1] else "audio"
        if getattr(files, kind) is not None:
            raise ArchiveError("The archive has two files where a library of ours has one.")
        setattr(files, kind, entry)
    unpacked = sum(entry.file_size for entry in file.infolist())
    if unpacked > _MOST_TIMES * size_bytes + _MOST_ABOUT_BYTES:
        raise ArchiveError("The archive would be far too large when it is unpacked.")
    if unpacked > shutil.disk_usage(folder).free:
        raise ArchiveError("There is not enough room on the disk for what is in the archive.")
    return found


def _check_about(file: zipfile.ZipFile) -> None:
    try:
        entry = file.getinfo(ABOUT)
        if not _is_readable(entry):
            raise ValueError("packed in another way than ours")
        about = from_json(_content(file, entry, _MOST_ABOUT_BYTES))
        kind, version = about["format"], about["version"]
    except (KeyError, ValueError, TypeError) as error:
        raise ArchiveError("This zip file is no archive of a library.") from error
    if kind != KIND or not isinstance(version, int):
        raise ArchiveError("This zip file is no archive of a library.")
    if version > VERSION:
        raise ArchiveError("The archive was made by a newer version of EchoStream.")


def _is_readable(entry: zipfile.ZipInfo) -> bool:
    is_known = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    # Before the beginning of the file is a place that zipfile may work out and go to.
    return is_known and not entry.flag_bits & _IS_ENCRYPTED and entry.header_offset >= 0


def _content(file: zipfile.ZipFile, entry: zipfile.ZipInfo, most_bytes: int) -> bytes:
    with file.open(entry) as opened:
        content = opened.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ArchiveError("The archive has a document that is too large.")
    return content


def _recording(file: zipfile.ZipFile, media_id: str, files: _Files) -> tuple[Media, Analysis]:
    if files.document is None:
        raise ArchiveError(f"Recording {media_id} has no document.")
    return recording_of(_content(file, files.document, _MOST_DOCUMENT_BYTES), media_id)


def _make_way(store: Store, media_id: str) -> bool:
    """Returns whether the store has no such recording, after removing one that an earlier import
    has left half-way."""
    present = store.media(media_id)
    if present is not None and present.error == _UNFINISHED:
        store.delete([media_id])
        return True
    return present is None


def _add(
    store: Store,
    file: zipfile.ZipFile,
    files: _Files,
    recording: tuple[Media, Analysis],
    folder: Path,
) -> None:
    """Adds a recording, which says of itself that it is not whole until it is."""
    media, analysis = recording
    half: dict[str, Any] = {
        "state": "failed",
        "error": _UNFINISHED,
        "message": "Its import was interrupted. Import the archive again.",
    }
    store.add(replace(media, **ELSEWHERE, **half), analysis.request)
    if files.audio is not None:
        with _unpacked(file, files.audio, folder) as path:
            store.keep_audio(media.id, path)
    if analysis.response is not None:
        store.complete(media.id, analysis.response)
        store.update_media(media.id, **half)
        store.update_analysis(
            media.id,
            insights=analysis.insights,
            edits=analysis.edits,
            speakers=analysis.speakers,
            action_items=analysis.action_items,
            line_speakers=analysis.line_speakers,
            bookmarks=analysis.bookmarks,
        )
    store.update_media(
        media.id,
        title=media.title,
        duration_s=media.duration_s,
        language=media.language,
        state=media.state,
        error=media.error,
        message=media.message,
    )


@contextmanager
def _unpacked(file: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> Iterator[Path]:
    """The audio as a file of its own, with a name that is ours but for the suffix."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="import-") as private:
        path = Path(private) / f"audio{PurePosixPath(entry.filename).suffix}"
        with file.open(entry) as packed, path.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, _PIECE_BYTES)
        yield path
