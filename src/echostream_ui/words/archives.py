"""What is said after an archive of a library has been imported."""

from collections.abc import Iterator, Sequence

from echostream_ui.library.archive.reading import Imported
from echostream_ui.words.wording import count

_MOST_NAMES = 10


def told(imported: Imported) -> Iterator[str]:
    """Yields sentences: what was added, what was there already, and what could not be used."""
    yield f"{_are(imported.added)} added."
    if imported.known:
        yield (
            f"{_are(len(imported.known))} in the library already, where nothing was changed:"
            f" {_listed(imported.known)}."
        )
    if imported.refused:
        yield f"{_are(len(imported.refused))} left out: {_listed(imported.refused)}"


def _are(number: int) -> str:
    return f"{count(number, 'recording')} {'was' if number == 1 else 'were'}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    shown = "; ".join(names[:_MOST_NAMES])
    return f"{shown}; and {more:,} more" if more > 0 else shown
