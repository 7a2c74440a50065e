"""Writes the results of a watched file beside it."""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from echostream_ui import documents
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from echostream_ui.library.sqlite.watched import WrittenDocument
from echostream_ui.settings import Export

log = logging.getLogger(__name__)


def export(
    path: Path,
    media: Media,
    analysis: Analysis,
    formats: Iterable[Export],
    before: Mapping[str, WrittenDocument],
    options: documents.Options,
) -> list[WrittenDocument]:
    """Writes `talk.srt` beside `talk.mp4`, or `talk.mp4.srt` if there is another `talk.srt`; what
    was written `before` is written again. Returns what was written. A file that is there already
    stays as it is if another wrote it or changed it, and one that was deleted does not come back.
    What cannot be written is logged."""
    written = []
    for each in formats:
        content = documents.export(media, analysis, each, options)
        known = before.get(each)
        try:
            place = _write_again(path, known, content) if known else _write_new(path, each, content)
        except OSError as error:
            log.warning("%s of %s cannot be written: %s", each, path, error.strerror or error)
            continue
        if place is not None:
            written.append(WrittenDocument(each, place.name, hashlib.sha256(content).hexdigest()))
    return written


def _write_new(path: Path, suffix: str, content: bytes) -> Path | None:
    for name in (path.with_suffix(f".{suffix}"), path.with_name(f"{path.name}.{suffix}")):
        if _create(name, content):
            return name
    log.warning("%s is there already; the results of %s are not exported", name, path)
    return None


def _write_again(path: Path, known: WrittenDocument, content: bytes) -> Path | None:
    place = path.with_name(known.name)
    try:
        is_ours = hashlib.sha256(place.read_bytes()).hexdigest() == known.sha256
    except FileNotFoundError:
        return None
    if not is_ours or place.is_symlink():
        log.warning("%s was changed by somebody, and is not written again", place)
        return None
    unfinished = place.with_name(f".{place.name}.part")
    unfinished.unlink(missing_ok=True)  # of a run that was ended
    _create(unfinished, content)
    unfinished.replace(place)  # readers see the old document or the new one, never a half
    return place


def _create(path: Path, content: bytes) -> bool:
    """Returns False if there is something of that name, even a link that leads nowhere."""
    try:
        with path.open("xb") as file:
            try:
                file.write(content)
            except OSError:
                path.unlink()
                raise
    except FileExistsError:
        return False
    return True
