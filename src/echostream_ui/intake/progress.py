"""The progress of recordings, and what they are waiting for."""

import time
from dataclasses import dataclass, replace
from typing import Literal

Stage = Literal[
    "waiting",
    "uploading",
    "queued",
    "fetching",
    "decoding",
    "transcribing",
    "diarizing",
    "analysing",
    "saving",
]


_IN_LINE: tuple[Stage, ...] = ("waiting", "queued")


@dataclass(frozen=True, slots=True)
class Progress:
    """A recording's progress. `share` is 0 to 1, or None if unknown; `since` is when its stage
    began, by `time.time()`. `trouble` says which problem it is waiting for, if any. `left_s` is the
    time left, None while unknown; `text` is the transcript so far; `ahead` is how many recordings
    come before one that waits, None while unknown."""

    stage: Stage
    share: float | None
    since: float
    trouble: str | None = None
    left_s: float | None = None
    text: str = ""
    ahead: int | None = None


class ProgressBoard:
    """The progress of all recordings. One event loop writes it; any thread may read it."""

    def __init__(self) -> None:
        self._known: dict[str, Progress] = {}

    def get(self, media_id: str) -> Progress | None:
        found = self._known.get(media_id)
        if found is None or found.stage not in _IN_LINE or found.ahead is not None:
            return found
        # Without a queue the API has no line of its own: each waits for those that came before.
        ahead = 0
        for name, other in list(self._known.items()):
            if name == media_id:
                return replace(found, ahead=ahead)
            ahead += other.stage in _IN_LINE
        return found  # it has ended meanwhile

    def begin(self, media_id: str) -> None:
        """Adds a recording unless it is there already."""
        self._known.setdefault(media_id, Progress("waiting", None, time.time()))

    def tell(
        self,
        media_id: str,
        stage: Stage,
        share: float | None = None,
        *,
        left_s: float | None = None,
        text: str = "",
        ahead: int | None = None,
    ) -> None:
        """Reports progress, which clears any trouble. Without a text, the earlier one stays."""
        before = self._known.get(media_id)
        since = before.since if before is not None and before.stage == stage else time.time()
        text = text or (before.text if before is not None else "")
        self._known[media_id] = Progress(stage, share, since, None, left_s, text, ahead)

    def trouble(self, media_id: str, trouble: str | None) -> None:
        before = self._known.get(media_id) or Progress("waiting", None, time.time())
        self._known[media_id] = replace(before, trouble=trouble)

    def end(self, media_id: str) -> None:
        self._known.pop(media_id, None)
