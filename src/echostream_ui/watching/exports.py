"""Writes the results of a watched file beside it."""

import logging
from collections.abc import Iterable
from pathlib import Path

from echostream_ui import documents
from echostream_ui.library.analysis import Analysis
from echostream_ui.library.media import Media
from echostream_ui.settings import Export

log = logging.getLogger(__name__)


def export(path: Path, media: Media, analysis: Analysis, formats: Iterable[Export]) -> list[Path]:
    """Writes `talk.srt` beside `talk.mp4`, or `talk.mp4.srt` if there is another `talk.srt`.
    Returns what was written. A file that is there already stays as it is, whoever wrote it; what
    cannot be written is logged."""
    written = []
    for each in formats:
        content = documents.export(media, analysis, each)
        names = (path.with_suffix(f".{each}"), path.with_name(f"{path.name}.{each}"))
        try:
            written.append(next(name for name in names if _write_new(name, content)))
        except StopIteration:
            log.warning("%s is there already; the results of %s are not exported", names[1], path)
        except OSError as error:
            log.warning("%s cannot be written: %s", names[0], error.strerror or error)
    return written


def _write_new(path: Path, content: bytes) -> bool:
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
